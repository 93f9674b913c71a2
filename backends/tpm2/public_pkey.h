/*
 * The public part of a key, from a TPM's structure to OpenSSL's.
 */
#ifndef KEYSTILE_TPM2_PUBLIC_PKEY_H
#define KEYSTILE_TPM2_PUBLIC_PKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_tpm2_types.h>

#include <openssl/types.h>

#define PUBLIC_COORDINATE_MAX 66
#define PUBLIC_POINT_MAX (1 + 2 * PUBLIC_COORDINATE_MAX)

/* RSA, or ECC on P-256 or P-384; NULL for anything else, and where OpenSSL would not. The caller
 * frees it. */
EVP_PKEY *public_pkey(const TPMT_PUBLIC *area);

/* OpenSSL's name of a curve, or NULL. */
const char *public_group(TPMI_ECC_CURVE curve);
/* Uncompressed, with leading zeros; false where a coordinate is longer than len. */
bool public_point(const TPMS_ECC_POINT *point, size_t len, uint8_t out[static PUBLIC_POINT_MAX]);

#endif
