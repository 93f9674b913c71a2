/*
 * A credential, as TPM2_MakeCredential makes it, but without a TPM: a secret that only the TPM with
 * a certain endorsement key can read, and that it gives out only while it holds a key with a
 * certain name (TPM 2.0 part 1, section 24). That binds the two to each other.
 */
#ifndef KEYSTILE_TPM2_CREDENTIAL_H
#define KEYSTILE_TPM2_CREDENTIAL_H

#include <tss2/tss2_tpm2_types.h>

#include <keystile/error.h>

#define CREDENTIAL_SECRET_LEN 32

struct credential {
	TPM2B_ID_OBJECT blob;
	TPM2B_ENCRYPTED_SECRET seed;
};

/*
 * target: a public part that duplicate_target_wrong() does not object to. KS_DEVICE_FAILED: OpenSSL
 * would not.
 */
KS_MUST_CHECK enum ks_error credential_make(const TPMT_PUBLIC *target, const TPM2B_NAME *name,
	const uint8_t secret[static CREDENTIAL_SECRET_LEN], struct credential *out);

/*
 * What the one who asks can keep in the open: a digest by which the secret is known again, of it,
 * of the name, and of the endorsement key.
 */
KS_MUST_CHECK enum ks_error credential_digest(const TPMT_PUBLIC *target, const TPM2B_NAME *name,
	const uint8_t secret[static CREDENTIAL_SECRET_LEN],
	uint8_t out[static TPM2_SHA256_DIGEST_SIZE]);

#endif
