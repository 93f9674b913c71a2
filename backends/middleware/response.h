/*
 * What came back from the library's process, of which nothing is believed: read and checked, and
 * a signature written as SSH has it (OpenSSH's PROTOCOL.u2f, SSH U2F signatures).
 */
#ifndef KEYSTILE_MIDDLEWARE_RESPONSE_H
#define KEYSTILE_MIDDLEWARE_RESPONSE_H

#include <keystile/backend.h>

/* Borrows from the answer; r and s are there after library_sign() only. */
struct response {
	uint8_t flags; /* SK_FLAG_... */
	uint32_t counter;
	struct bytes r;
	struct bytes s;
};

/* The error that the answer is of, with its words; KS_DEVICE_FAILED for one that is malformed. */
KS_MUST_CHECK enum ks_error response_read_check(
	struct ks_operation *operation, struct bytes answer);
KS_MUST_CHECK enum ks_error response_read_sign(
	struct ks_operation *operation, struct bytes answer, struct response *out);
/*
 * Appends the signature. KS_DEVICE_FAILED, with words, when its numbers can't be such a
 * signature's; that it verifies is the agent's to find.
 */
KS_MUST_CHECK enum ks_error response_put(struct ks_operation *operation,
	const struct response *response, enum ks_algorithm algorithm, struct buf *signature);

#endif
