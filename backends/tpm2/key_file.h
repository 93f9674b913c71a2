/*
 * TPM 2.0 key files, "-----BEGIN TSS2 PRIVATE KEY-----": the two halves of a key as its TPM gave
 * them out, the private one encrypted by the parent that is named beside it. The format is that of
 * draft-bottomley-tpm2-keys, as tpm2-tools, tpm2-openssl, pytss and ssh-tpm-keygen write it too.
 */
#ifndef KEYSTILE_TPM2_KEY_FILE_H
#define KEYSTILE_TPM2_KEY_FILE_H

#include <stdbool.h>

#include <tss2/tss2_tpm2_types.h>

#include <keystile/buffer.h>
#include <keystile/error.h>

#define TPM_KEY_FILE_MAX ((size_t)32 * 1024) /* the text of a file */
#define TPM_KEY_DESCRIPTION_MAX 1024

/* tss2's own constants for these shift a 1 into the sign. */
#define TPM_PERSISTENT_FIRST 0x81000000U
#define TPM_PERSISTENT_LAST 0x81ffffffU

enum tpm_key_file_kind {
	TPM_KEY_LOADABLE,   /* TPM2_Load under the parent */
	TPM_KEY_IMPORTABLE, /* TPM2_Import comes first: wrapped for this TPM on another machine */
};

/* Zeroed means empty; tpm_key_file_deinit() is due after a successful parse. */
struct tpm_key_file {
	enum tpm_key_file_kind kind;
	/*
	 * What the file claims, which is not to be trusted: tpm2_encodeobject of tpm2-tools 5.4
	 * writes true for keys that have a PIN.
	 */
	bool empty_auth;
	/* A parent that is a hierarchy stands for the storage key made from its template: true for
	 * that of RSA-2048, false for that of ECC P-256. */
	bool rsa_parent;
	TPM2_HANDLE parent; /* a hierarchy, or a persistent object (0x81......) */
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TPM2B_ENCRYPTED_SECRET secret; /* of an importable one */
	char *description;	       /* UTF-8, foreign text; NULL: none */
};

/*
 * Takes a whole file apart. KS_BAD_INPUT: malformed in any way, also bytes left over behind any
 * part; KS_UNSUPPORTED: well-formed, but sealed data, with policies, or not a key that signs;
 * *wrong is then why, static words that go on after "the file ...".
 */
KS_MUST_CHECK enum ks_error tpm_key_file_parse(
	struct bytes text, struct tpm_key_file *out, const char **wrong);
void tpm_key_file_deinit(struct tpm_key_file *file);

/* Appends the text of a file. KS_BAD_INPUT: a structure that can't be written. */
KS_MUST_CHECK enum ks_error tpm_key_file_put(const struct tpm_key_file *file, struct buf *out);

/*
 * Opens a file as ssh opens private keys, and reads it: a regular one (a symbolic link is followed,
 * what it leads to counts) of the person or root, that nobody else may read or write, of
 * bounded length. May block. *wrong as above; KS_NOT_ALLOWED for owner and modes, KS_NO_KEY where
 * there is none.
 */
KS_MUST_CHECK enum ks_error tpm_key_file_read(
	const char *path, struct buf *text, const char **wrong);

#endif
