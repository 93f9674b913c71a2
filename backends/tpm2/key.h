/*
 * A key that the TPM may sign with: what is known of it, and what is held of it in the TPM. To the
 * agent each is a token of its own, since each has a PIN of its own.
 */
#ifndef KEYSTILE_TPM2_KEY_H
#define KEYSTILE_TPM2_KEY_H

#include <tss2/tss2_esys.h>

#include <keystile/backend.h>

#include "key_file.h"
#include "parent.h"

/* Whether it has a PIN. Key files say so, but some programs write that none is there where one is.
 */
enum tpm_pin {
	TPM_PIN_SET,
	TPM_PIN_DENIED, /* the file, or nothing, says that there is none */
	TPM_PIN_NONE,	/* the TPM took the empty one */
};

/* Zeroed means empty. */
struct tpm_key {
	uint32_t token;
	char *label;		/* foreign text */
	char *location;		/* the file's path, or the handle */
	TPM2_HANDLE persistent; /* 0: it comes out of a file */
	bool importable;
	struct tpm_parent parent;
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TPM2B_ENCRYPTED_SECRET seed; /* of an importable one */
	struct buf blob;
	struct buf certificate; /* len 0: none */
	enum tpm_pin pin;
	bool counted;	  /* wrong PINs count */
	bool padded_here; /* the TPM lacks the hash: RSA_Decrypt */
	int32_t tries_left;
	struct secret kept; /* the PIN, for local requests */
	uint64_t kept_until_ms;
	ESYS_TR loaded; /* ESYS_TR_NONE: not in the TPM */
	uint64_t used;
};

/*
 * From a file's text. KS_UNSUPPORTED, KS_BAD_INPUT: *wrong says why, in words that go on after "the
 * file ...".
 */
KS_MUST_CHECK enum ks_error tpm_key_from_file(
	struct tpm_key *key, const char *path, const char **wrong);
/* From the public part of a persistent object. */
KS_MUST_CHECK enum ks_error tpm_key_from_handle(
	struct tpm_key *key, TPM2_HANDLE handle, const TPM2B_PUBLIC *public, const char **wrong);
void tpm_key_deinit(struct tpm_key *key);

/* Its blob, or that of its certificate. */
bool tpm_key_is(const struct tpm_key *key, struct bytes blob);
/* The authorisation value can't be longer than that: a PIN that is is wrong. */
size_t tpm_key_pin_max(const struct tpm_key *key);

#endif
