/*
 * From a request to a signature: whether a PIN is needed, where it comes from, and what becomes of
 * it.
 */
#ifndef KEYSTILE_TPM2_SIGN_H
#define KEYSTILE_TPM2_SIGN_H

#include "provider.h"

KS_MUST_CHECK enum ks_error tpm2_sign(struct tpm2 *tpm2, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature);

/*
 * A PIN that was given ahead. It is tried, on data that means nothing to anybody, only where PINs
 * are kept and one key has one; kept when it is right.
 */
KS_MUST_CHECK enum ks_error tpm2_try_pin(
	struct tpm2 *tpm2, struct ks_operation *operation, const struct secret *pin);

#endif
