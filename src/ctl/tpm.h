/*
 * `keystile tpm ...`: keys of a TPM are made, changed and looked at. What the TPM has to do with it
 * is done by keystile-worker-tpm2 (backends/tpm2/admin.h), so nothing here knows a TPM; this is the
 * command line, the files, and what is typed.
 */
#ifndef KEYSTILE_CTL_TPM_H
#define KEYSTILE_CTL_TPM_H

#include <jansson.h>

#include <keystile/error.h>
#include <keystile/secret.h>

#include "command.h"

#define TPM_FILE_MAX ((size_t)32 * 1024)	  /* a key file */
#define TPM_OBJECT_MAX ((size_t)64 * 1024 - 4096) /* a proof, a challenge or an answer */

/* Exit status. */
enum tpm_exit { TPM_EXIT_FINE = 0, TPM_EXIT_FAILED = 1, TPM_EXIT_USAGE = 2 };

/* Any of its verbs. */
int run_tpm(const struct call *call);

/* ---- Between its files ---- */

/* All that verbs take; each takes some of it. */
struct tpm_wish {
	const char *verb;
	const char *file;   /* NULL where none was named */
	const char *second; /* the word after it */
	const char *kind;
	const char *comment;
	const char *parent;
	const char *handle;
	const char *storage_key;
	const char *nonce;
	const char *roots;
	const char *challenge;
	const char *answer;
	bool rsa_parent;
	bool no_pin;
	bool has_pin; /* the key that is there, whatever its file says */
	bool has_none;
	bool parent_password;
	bool owner_password;
	bool endorsement_password;
	bool description;
	bool force;
	bool as_json;
};

int tpm_create(const struct tpm_wish *wish);
int tpm_info(const struct tpm_wish *wish);
int tpm_list(const struct tpm_wish *wish);
int tpm_passwd(const struct tpm_wish *wish);
int tpm_persist(const struct tpm_wish *wish);
int tpm_evict(const struct tpm_wish *wish);
int tpm_import(const struct tpm_wish *wish);
int tpm_wrap(const struct tpm_wish *wish);
int tpm_storage_key(const struct tpm_wish *wish);
int tpm_attest(const struct tpm_wish *wish);
int tpm_challenge(const struct tpm_wish *wish);
int tpm_answer(const struct tpm_wish *wish);
int tpm_verify(const struct tpm_wish *wish);

/* Asks the worker; what failed was said. request is taken. */
KS_MUST_CHECK enum ks_error tpm_ask(const struct tpm_wish *wish, json_t *request,
	const struct secret *secrets, json_t **answer);
/* The text of the wish's key file, and what was said of its PIN. NULL: said why. */
json_t *tpm_request_for_file(const struct tpm_wish *wish);
/* Asks for the passwords of hierarchies and parents that the wish names, before all other secrets.
 */
KS_MUST_CHECK enum ks_error tpm_ask_passwords(
	const struct tpm_wish *wish, json_t *request, struct secret *row);
/* A file with a JSON object, and the certificates of --roots, into a request. False: said why. */
bool tpm_put_object(json_t *request, const char *name, const char *path);
bool tpm_put_roots(const struct tpm_wish *wish, json_t *request);
/* Adds the wish's parent to a request. */
void tpm_put_parent(const struct tpm_wish *wish, json_t *request);
/* "ecdsa-sha2-nistp256 AAAA... comment"; the caller frees it. */
char *tpm_public_line(const json_t *answer, const char *comment);
void tpm_print_json(const json_t *answer);
/* The exit status once all is printed. */
int tpm_finish(void);

#endif
