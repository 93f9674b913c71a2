/*
 * Composite signatures of ML-DSA-44 and Ed25519 (draft-ietf-lamps-pq-composite-sigs, as OpenSSH has
 * them since 10.4): both halves sign the same message, and both have to verify. libcrypto knows
 * ML-DSA since 3.5; where it doesn't, keys of that kind are not known either.
 */
#ifndef KEYSTILE_COMPOSITE_H
#define KEYSTILE_COMPOSITE_H

#include <stdbool.h>

#include <openssl/core.h>

#include <keystile/buffer.h>

#define COMPOSITE_MLDSA "ML-DSA-44"
#define COMPOSITE_MLDSA_PUBLIC ((size_t)1312)
#define COMPOSITE_MLDSA_SIGNATURE ((size_t)2420)
#define COMPOSITE_ED25519_PUBLIC ((size_t)32)
#define COMPOSITE_ED25519_SIGNATURE ((size_t)64)
#define COMPOSITE_SEED ((size_t)32) /* of either half */

/* As they stand on the wire: ML-DSA's bytes, then those of Ed25519. */
#define COMPOSITE_PUBLIC (COMPOSITE_MLDSA_PUBLIC + COMPOSITE_ED25519_PUBLIC)
#define COMPOSITE_SIGNATURE (COMPOSITE_MLDSA_SIGNATURE + COMPOSITE_ED25519_SIGNATURE)
#define COMPOSITE_SECRET (2 * COMPOSITE_SEED)

#define COMPOSITE_MESSAGE ((size_t)127)
#define COMPOSITE_PARAMETERS 2

/* Whether this libcrypto has ML-DSA. */
bool composite_available(void);

/* What both halves sign in place of data; false where libcrypto does not hash. */
bool composite_message(struct bytes data, uint8_t message[static COMPOSITE_MESSAGE]);
/* What EVP_DigestSignInit_ex() and EVP_DigestVerifyInit_ex() want for ML-DSA: its context. */
void composite_parameters(OSSL_PARAM parameters[static COMPOSITE_PARAMETERS]);

/* KS_REFUSED unless both halves of the signature are right. */
KS_MUST_CHECK enum ks_error composite_verify(
	EVP_PKEY *mldsa, EVP_PKEY *ed25519, struct bytes signature, struct bytes data);

#endif
