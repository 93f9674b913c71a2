/*
 * The seed from which both sides derive the keys of a wrapping, and how it gets to the TPM:
 * encrypted to an RSA key (OAEP), or agreed upon with an elliptic curve key (TPM 2.0 part 1,
 * annexes B.10.3 and C.6.3).
 */
#ifndef KEYSTILE_TPM2_DUPLICATE_SEED_H
#define KEYSTILE_TPM2_DUPLICATE_SEED_H

#include <stdbool.h>

#include <tss2/tss2_tpm2_types.h>

#include <openssl/types.h>

#include <keystile/buffer.h>

struct seed {
	uint8_t bytes[TPM2_SHA384_DIGEST_SIZE];
	size_t len; /* of the target's name algorithm */
};

/* The hash of a target; NULL for those that we don't wrap for. */
const EVP_MD *seed_digest(const TPMT_PUBLIC *target);
#define SEED_DIGEST_MAX 8 /* of the name, as OpenSSL has it */
const char *seed_digest_name(const TPMT_PUBLIC *target);

/*
 * False: OpenSSL would not. label says what the seed is for: "DUPLICATE" or "IDENTITY". The caller
 * wipes *seed.
 */
#define SEED_LABEL_MAX 16
bool seed_make(const TPMT_PUBLIC *target, const char *label, struct seed *seed,
	TPM2B_ENCRYPTED_SECRET *secret);

#endif
