/*
 * From what a security key returns to a signature as SSH has it (OpenSSH's PROTOCOL.u2f).
 */
#ifndef KEYSTILE_FIDO2_ASSERTION_H
#define KEYSTILE_FIDO2_ASSERTION_H

#include "token_call.h"

/* SHA-256. KS_NO_MEMORY. */
KS_MUST_CHECK enum ks_error assertion_hash(struct bytes data, uint8_t out[static TOKEN_HASH_BYTES]);
/*
 * Appends the signature once it has been verified with the key's blob over data. KS_DEVICE_FAILED:
 * it is not of that key, or malformed.
 */
KS_MUST_CHECK enum ks_error assertion_put(const struct token_assertion *assertion,
	struct bytes blob, struct bytes data, struct buf *signature);

#endif
