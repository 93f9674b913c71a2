/*
 * What is handed to the token for a signature: the mechanism, and the data as it wants
 * them (hashed for ECDSA, hashed and wrapped for RSA, as they are for Ed25519).
 */
#ifndef KEYSTILE_PKCS11_MECHANISM_H
#define KEYSTILE_PKCS11_MECHANISM_H

#include <p11-kit/pkcs11.h>

#include <keystile/backend.h>

#define MECHANISM_INPUT_MAX (19 + 64) /* DigestInfo of SHA-512 */

struct mechanism {
	CK_MECHANISM mechanism;
	uint8_t hashed[MECHANISM_INPUT_MAX];
	struct bytes input; /* borrows from hashed or from the request */
};

/* KS_UNSUPPORTED and words for an algorithm that is none of the key's. */
KS_MUST_CHECK enum ks_error mechanism_prepare(
	struct mechanism *mechanism, struct ks_operation *operation, const struct ks_sign *request);

#endif
