/*
 * By way of OpenSSL's parameters.
 */
#include "public_pkey.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include "key_blob.h"

static EVP_PKEY *rsa_key(const TPMT_PUBLIC *area)
{
	const TPM2B_PUBLIC_KEY_RSA *modulus = &area->unique.rsa;
	uint32_t exponent = area->parameters.rsaDetail.exponent;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(modulus->buffer, modulus->size, NULL);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *pkey = NULL;

	if (builder != NULL && n != NULL &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		OSSL_PARAM_BLD_push_uint32(builder, OSSL_PKEY_PARAM_RSA_E,
			exponent != 0 ? exponent : TPM_EXPONENT_DEFAULT) == 1)
		parameters = OSSL_PARAM_BLD_to_param(builder);
	if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		pkey = NULL;
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	BN_free(n);
	return pkey;
}

const char *public_group(TPMI_ECC_CURVE curve)
{
	switch (curve) {
	case TPM2_ECC_NIST_P256:
		return "P-256";
	case TPM2_ECC_NIST_P384:
		return "P-384";
	default:
		return NULL;
	}
}

bool public_point(const TPMS_ECC_POINT *point, size_t len, uint8_t out[static PUBLIC_POINT_MAX])
{
	if (point->x.size > len || point->y.size > len)
		return false;
	out[0] = 4;
	memcpy(out + 1 + len - point->x.size, point->x.buffer, point->x.size);
	memcpy(out + 1 + 2 * len - point->y.size, point->y.buffer, point->y.size);
	return true;
}

static EVP_PKEY *ecc_key(const char *group, uint8_t *point, size_t len)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char name[8];

	strcpy(name, group);
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, len),
		OSSL_PARAM_construct_end()};
	EVP_PKEY *pkey = NULL;

	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	return pkey;
}

EVP_PKEY *public_pkey(const TPMT_PUBLIC *area)
{
	const TPMI_ECC_CURVE curve = area->parameters.eccDetail.curveID;
	uint8_t point[PUBLIC_POINT_MAX];

	if (area->type == TPM2_ALG_RSA)
		return rsa_key(area);
	if (area->type != TPM2_ALG_ECC || public_group(curve) == NULL ||
		!public_point(&area->unique.ecc, tpm_curve_len(curve), point))
		return NULL;
	return ecc_key(public_group(curve), point, 1 + 2 * tpm_curve_len(curve));
}
