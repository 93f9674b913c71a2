/*
 * The wrapping around what only a TPM shall read: encrypted and authenticated with keys from one
 * seed, and bound to the name of a key there (TPM 2.0 part 1, sections 22.4 and 24.5).
 */
#ifndef KEYSTILE_TPM2_OUTER_WRAP_H
#define KEYSTILE_TPM2_OUTER_WRAP_H

#include "duplicate_seed.h"

#define OUTER_WRAP_MAX sizeof(TPM2B_PRIVATE)

/* Encrypts len bytes, OUTER_WRAP_MAX at the most, in place. False: OpenSSL would not. */
bool outer_wrap(const TPMT_PUBLIC *target, const struct seed *seed, const TPM2B_NAME *name,
	uint8_t *data, size_t len, TPM2B_DIGEST *mac);

#endif
