/*
 * What an attestation is made of: a statement of the TPM (TPMS_ATTEST, TPM 2.0 part 2,
 * section 10.12) about the name of a key, and the signature of an attestation key, which signs only
 * what its TPM says.
 */
#ifndef KEYSTILE_TPM2_ATTESTATION_H
#define KEYSTILE_TPM2_ATTESTATION_H

#include <tss2/tss2_tpm2_types.h>

#include <keystile/buffer.h>
#include <keystile/error.h>

/* ECDSA P-256 with SHA-256, restricted; as a primary key it is the same each time. */
TPM2B_PUBLIC attestation_key_template(void);

/* The digest of the nonce's text, which the TPM puts into what it signs. */
bool attestation_nonce(const char *text, TPM2B_DATA *out);

/* Hash and digest of a public part, for SHA-256 names. */
bool attestation_name(const TPMT_PUBLIC *public, TPM2B_NAME *out);

struct attestation {
	TPM2B_PUBLIC key;
	TPM2B_PUBLIC attestation_key;
	struct bytes statement; /* TPMS_ATTEST, as it was signed */
	TPMT_SIGNATURE signature;
	TPM2B_DATA nonce; /* that was wanted */
};

/*
 * Whether the attestation key signed that it certifies this key with this nonce. NULL, or words
 * that go on after "the attestation ...". *firmware is that of the TPM.
 */
const char *attestation_wrong(const struct attestation *attestation, uint64_t *firmware);

#endif
