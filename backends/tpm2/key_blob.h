/*
 * The public part of a key, from a TPM's structure to what SSH writes.
 */
#ifndef KEYSTILE_TPM2_KEY_BLOB_H
#define KEYSTILE_TPM2_KEY_BLOB_H

#include <tss2/tss2_tpm2_types.h>

#include <keystile/public_key.h>

#define TPM_EXPONENT_DEFAULT 65537U /* a TPM writes 0 for it */

/* Appends it. KS_UNSUPPORTED: a kind, curve or size that SSH or we don't use. */
KS_MUST_CHECK enum ks_error tpm_key_blob(const TPMT_PUBLIC *area, struct buf *out);

/* Bytes of a coordinate, 0 for curves that SSH does not have. */
size_t tpm_curve_len(TPMI_ECC_CURVE curve);

#endif
