/*
 * `keystile tpm`: what is done with a TPM besides signing. A request is a JSON object whose "verb"
 * says what, and what it needs besides; secrets that a person typed come beside it, in the order in
 * which the verbs take them. Key files come and go as text: this process opens none of them.
 */
#ifndef KEYSTILE_TPM2_ADMIN_H
#define KEYSTILE_TPM2_ADMIN_H

#include <jansson.h>

#include "held.h"

struct admin {
	struct ks_operation *operation;
	const json_t *request;
	struct reader secrets;
	json_t *answer; /* an object, to be filled */
	struct tpm_settings settings;
	struct held held;
};

/* For the backend's table. */
enum ks_error tpm_administer(void *state, struct ks_operation *operation, struct bytes request,
	const struct secret *secrets, struct buf *answer);

/* ---- The verbs; what each takes stands at its definition ---- */

enum ks_error admin_create(struct admin *admin);
enum ks_error admin_info(struct admin *admin);
enum ks_error admin_list(struct admin *admin);
enum ks_error admin_passwd(struct admin *admin);
enum ks_error admin_persist(struct admin *admin);
enum ks_error admin_evict(struct admin *admin);
enum ks_error admin_import(struct admin *admin);
enum ks_error admin_wrap(struct admin *admin);
enum ks_error admin_storage_key(struct admin *admin);
enum ks_error admin_attest(struct admin *admin);
enum ks_error admin_challenge(struct admin *admin);
enum ks_error admin_answer(struct admin *admin);
enum ks_error admin_verify(struct admin *admin);

/* ---- What they have in common ---- */

/* A text of the request, "" where there is none; borrowed. */
const char *admin_text(const struct admin *admin, const char *name);
bool admin_flag(const struct admin *admin, const char *name);

/* "parent" (owner, endorsement, platform, null or 0x81......; owner where it is missing) and
 * "rsa_parent". */
KS_MUST_CHECK enum ks_error admin_parent(const struct admin *admin, struct tpm_parent *out);

/* The next secret as an authorisation value: empty unless the request's flag of that name is set.
 */
KS_MUST_CHECK enum ks_error admin_new_pin(struct admin *admin, const char *flag, TPM2B_AUTH *out);

/*
 * The key of a file whose text is "file". tpm_key_deinit() is due after KS_OK, and its copy in the
 * TPM goes with admin->held.
 */
KS_MUST_CHECK enum ks_error admin_key(struct admin *admin, struct tpm_key *out);

/*
 * The authorisation value of a key that is to be used: asks for the PIN where it has one, but never
 * for the last try before the TPM locks itself. A key whose file denies that it has one, although
 * wrong ones would count, has what "has_pin" says.
 */
KS_MUST_CHECK enum ks_error admin_pin_of(struct admin *admin, struct tpm_key *key, TPM2B_AUTH *out);

/* Whether the TPM refused an authorisation value. Then that of a hierarchy, or of a key above
 * others, may be explained by the option of the command that asks for it. */
bool admin_is_refusal(TSS2_RC code);
void admin_explain_password(struct admin *admin, const char *option);

/* Runs it in a session that is salted to the parent, which is loaded. */
struct admin_use {
	TSS2_RC (*run)(struct admin *admin, void *context);
	void *context;
	const struct tpm_parent *parent;
	const char *command;
	const char
		*option; /* that asks for the password of what it uses; NULL: --parent-password */
};
KS_MUST_CHECK enum ks_error admin_run(struct admin *admin, const struct admin_use *use);
/* The same with a key, loaded: its authorisation value is set before and cleared after. */
struct admin_key_use {
	TSS2_RC (*run)(struct admin *admin, struct tpm_key *key, void *context);
	void *context;
	const TPM2B_AUTH *auth;
	const char *command;
};
KS_MUST_CHECK enum ks_error admin_run_key(
	struct admin *admin, struct tpm_key *key, const struct admin_key_use *use);

/* "public_key" (blob in base64), "fingerprint", "kind" and "bits" into an object. */
KS_MUST_CHECK enum ks_error admin_put_public(json_t *object, const TPMT_PUBLIC *area);
/* The same into the answer, and the text of the file as "file". */
KS_MUST_CHECK enum ks_error admin_put_file(struct admin *admin, const struct tpm_key_file *file);

/* ---- Handles of keys that stay in the TPM ---- */

#define ADMIN_OWNER_LAST 0x817fffffU /* above are the platform's, which gives nothing back */

/* The request's "handle"; said where it is none. */
KS_MUST_CHECK enum ks_error admin_handle(const struct admin *admin, TPM2_HANDLE *out);
/* TPM2_EvictControl: a loaded object is put at the handle, or the one that is there taken out. */
TSS2_RC admin_evict_control(
	struct admin *admin, const TPM2B_AUTH *owner, ESYS_TR object, TPM2_HANDLE handle);
/* Something is at that handle. */
bool admin_is_taken(TSS2_RC code);
/* Another PIN for a key at a handle, see admin_passwd_persistent.c. */
KS_MUST_CHECK enum ks_error admin_passwd_persistent(struct admin *admin);

/* Base64 in JSON texts. Decoding fails on anything else. */
json_t *admin_base64(struct bytes bytes);
KS_MUST_CHECK enum ks_error admin_from_base64(const json_t *text, struct buf *out);

#endif
