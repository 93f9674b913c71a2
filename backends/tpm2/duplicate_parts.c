/*
 * From a private key as clients hand it over (keystile/private_key.h) to the structures of a TPM.
 */
#include <string.h>

#include "duplicate.h"

enum { RSA_N, RSA_E, RSA_D, RSA_IQMP, RSA_P, RSA_Q };

#define ATTRIBUTES (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT)

static const struct {
	enum key_kind kind;
	TPMI_ECC_CURVE curve;
	size_t len;
} curves[] = {
	{KEY_ECDSA_P256, TPM2_ECC_NIST_P256, 32},
	{KEY_ECDSA_P384, TPM2_ECC_NIST_P384, 48},
	{KEY_ECDSA_P521, TPM2_ECC_NIST_P521, 66},
};

static void put_coordinate(struct bytes point, size_t which, size_t len, TPM2B_ECC_PARAMETER *out)
{
	memcpy(out->buffer, point.data + 1 + which * len, len);
	out->size = (UINT16)len;
}

static bool take_ecc(const struct private_key *key, TPMI_ECC_CURVE curve, size_t len,
	TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive)
{
	TPM2B_ECC_PARAMETER *scalar = &sensitive->sensitive.ecc;

	if (key->point.len != 1 + 2 * len || key->point.data[0] != 4 || key->scalar.len > len)
		return false;
	public->type = TPM2_ALG_ECC;
	public->parameters.eccDetail.curveID = curve;
	public->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
	public->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
	public->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	put_coordinate(key->point, 0, len, &public->unique.ecc.x);
	put_coordinate(key->point, 1, len, &public->unique.ecc.y);
	memcpy(scalar->buffer + len - key->scalar.len, key->scalar.data, key->scalar.len);
	scalar->size = (UINT16)len;
	return true;
}

/* One prime is enough: the TPM works out the rest. The exponent that a TPM writes as 0 is 65537. */
static const char *take_rsa(
	const struct private_key *key, TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive)
{
	static const uint8_t exponent[] = {1, 0, 1};
	const struct bytes n = key->numbers[RSA_N], p = key->numbers[RSA_P];
	TPM2B_PRIVATE_KEY_RSA *prime = &sensitive->sensitive.rsa;

	if (!bytes_equal(key->numbers[RSA_E], BYTES(exponent, sizeof(exponent))))
		return "has another public exponent than 65537, which TPMs do not take";
	if ((n.len != 256 && n.len != 384 && n.len != 512) || p.len != n.len / 2)
		return "is an RSA key of a size that TPMs do not have";
	public->type = TPM2_ALG_RSA;
	public->parameters.rsaDetail.keyBits = (UINT16)(n.len * 8);
	public->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
	public->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
	memcpy(public->unique.rsa.buffer, n.data, n.len);
	public->unique.rsa.size = (UINT16)n.len;
	memcpy(prime->buffer, p.data, p.len);
	prime->size = (UINT16)p.len;
	return NULL;
}

static const char *take_key(
	const struct private_key *key, TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].kind == key->kind)
			return take_ecc(key, curves[i].curve, curves[i].len, public, sensitive)
				       ? NULL
				       : "is malformed";
	if (key->kind == KEY_RSA)
		return take_rsa(key, public, sensitive);
	return "is of a kind that TPMs do not have: they take ECDSA and RSA";
}

enum ks_error duplicate_parts(const struct private_key *key, const TPM2B_AUTH *auth,
	TPM2B_PUBLIC *public, TPM2B_SENSITIVE *sensitive, const char **wrong)
{
	TPMT_PUBLIC *area = &public->publicArea;

	*public = (TPM2B_PUBLIC){0};
	*sensitive = (TPM2B_SENSITIVE){0};
	area->nameAlg = TPM2_ALG_SHA256;
	area->objectAttributes = ATTRIBUTES | (auth->size == 0 ? TPMA_OBJECT_NODA : 0);
	*wrong = take_key(key, area, &sensitive->sensitiveArea);
	if (*wrong != NULL)
		return KS_UNSUPPORTED;
	sensitive->sensitiveArea.sensitiveType = area->type;
	sensitive->sensitiveArea.authValue = *auth;
	return KS_OK;
}
