/*
 * TPMT_PUBLIC to a blob. The numbers come out of a file or from a TPM: lengths are checked here,
 * the rest is public_key_parse()'s.
 */
#include "key_blob.h"

#include <string.h>

#define COORDINATE_MAX 66
#define RSA_BYTES_MIN 256

static const struct {
	TPMI_ECC_CURVE curve;
	enum key_kind kind;
	size_t len;
} curves[] = {
	{TPM2_ECC_NIST_P256, KEY_ECDSA_P256, 32},
	{TPM2_ECC_NIST_P384, KEY_ECDSA_P384, 48},
	{TPM2_ECC_NIST_P521, KEY_ECDSA_P521, 66},
};

size_t tpm_curve_len(TPMI_ECC_CURVE curve)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].curve == curve)
			return curves[i].len;
	return 0;
}

static enum ks_error put_point(
	struct buf *out, enum key_kind kind, size_t len, const TPMS_ECC_POINT *point)
{
	uint8_t text[1 + 2 * COORDINATE_MAX] = {4};

	if (point->x.size > len || point->y.size > len)
		return KS_BAD_INPUT;
	memcpy(text + 1 + len - point->x.size, point->x.buffer, point->x.size);
	memcpy(text + 1 + 2 * len - point->y.size, point->y.buffer, point->y.size);
	return public_key_put_ecdsa(out, kind, BYTES(text, 1 + 2 * len));
}

static enum ks_error put_ecc(struct buf *out, const TPMT_PUBLIC *area)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].curve == area->parameters.eccDetail.curveID)
			return put_point(out, curves[i].kind, curves[i].len, &area->unique.ecc);
	return KS_UNSUPPORTED;
}

static enum ks_error put_rsa(struct buf *out, const TPMT_PUBLIC *area)
{
	const TPMS_RSA_PARMS *parameters = &area->parameters.rsaDetail;
	const uint32_t value =
		parameters->exponent != 0 ? parameters->exponent : TPM_EXPONENT_DEFAULT;
	const uint8_t exponent[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value};
	const struct bytes modulus = BYTES(area->unique.rsa.buffer, area->unique.rsa.size);

	if (modulus.len < RSA_BYTES_MIN)
		return KS_UNSUPPORTED;
	if (modulus.len > sizeof(area->unique.rsa.buffer) || modulus.len * 8 != parameters->keyBits)
		return KS_BAD_INPUT;
	public_key_put_rsa(out, BYTES(exponent, sizeof(exponent)), modulus);
	return buf_status(out);
}

enum ks_error tpm_key_blob(const TPMT_PUBLIC *area, struct buf *out)
{
	switch (area->type) {
	case TPM2_ALG_ECC:
		return put_ecc(out, area);
	case TPM2_ALG_RSA:
		return put_rsa(out, area);
	default:
		return KS_UNSUPPORTED;
	}
}
