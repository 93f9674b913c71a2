/*
 * One signature with a loaded key: a digest in, the bytes out that signature_put() wants.
 */
#ifndef KEYSTILE_TPM2_SIGNATURE_H
#define KEYSTILE_TPM2_SIGNATURE_H

#include "held.h"

#define TPM_SIGNATURE_MAX 512 /* RSA 4096 */

struct tpm_signature {
	TPM2B_DIGEST digest;
	TPMI_ALG_HASH hash;
	uint8_t raw[TPM_SIGNATURE_MAX];
	size_t len;
};

/*
 * Hashes data as the algorithm says. KS_UNSUPPORTED, in words: the key does not have the algorithm,
 * or it is one with SHA-1, which is never made.
 */
KS_MUST_CHECK enum ks_error tpm_signature_prepare(struct ks_operation *operation,
	const struct tpm_key *key, enum ks_algorithm algorithm, struct bytes data,
	struct tpm_signature *out);

/*
 * Has the key make it: one TPM2_Sign, or, where the TPM lacks the hash for RSA and the key may
 * decrypt, one TPM2_RSA_Decrypt of what was padded here. pin may be NULL; it is gone from ESYS
 * afterwards.
 */
TSS2_RC tpm_signature_make(struct held *held, struct tpm_key *key, const struct secret *pin,
	struct tpm_signature *signature);

#endif
