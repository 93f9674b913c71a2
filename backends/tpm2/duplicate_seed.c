/*
 * All of the cryptography is OpenSSL's, KDFe too: it is the one-step KDF of SP 800-56C.
 */
#include "duplicate_seed.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "key_blob.h"

#define COORDINATE_MAX 66
#define POINT_MAX (1 + 2 * COORDINATE_MAX)

static const char label[] = "DUPLICATE"; /* its NUL goes along */

const char *seed_digest_name(const TPMT_PUBLIC *target)
{
	switch (target->nameAlg) {
	case TPM2_ALG_SHA256:
		return "SHA256";
	case TPM2_ALG_SHA384:
		return "SHA384";
	default:
		return NULL;
	}
}

const EVP_MD *seed_digest(const TPMT_PUBLIC *target)
{
	return target->nameAlg == TPM2_ALG_SHA384 ? EVP_sha384() : EVP_sha256();
}

/* ---- RSA ---- */

static EVP_PKEY *rsa_key(const TPMT_PUBLIC *target)
{
	const TPM2B_PUBLIC_KEY_RSA *modulus = &target->unique.rsa;
	uint32_t exponent = target->parameters.rsaDetail.exponent;
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

/* The context takes the label's copy. */
static bool set_oaep(EVP_PKEY_CTX *context, const EVP_MD *digest)
{
	void *copy = OPENSSL_memdup(label, sizeof(label));

	if (copy != NULL && EVP_PKEY_encrypt_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_oaep_md(context, digest) == 1 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1 &&
		EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, sizeof(label)) == 1)
		return true;
	OPENSSL_free(copy);
	return false;
}

static bool make_for_rsa(
	const TPMT_PUBLIC *target, struct seed *seed, TPM2B_ENCRYPTED_SECRET *secret)
{
	EVP_PKEY *pkey = rsa_key(target);
	EVP_PKEY_CTX *context = pkey != NULL ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
	size_t len = sizeof(secret->secret);
	bool good = context != NULL && RAND_bytes(seed->bytes, (int)seed->len) == 1 &&
		    set_oaep(context, seed_digest(target)) &&
		    EVP_PKEY_encrypt(context, secret->secret, &len, seed->bytes, seed->len) == 1;

	secret->size = good ? (UINT16)len : 0;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(pkey);
	return good;
}

/* ---- Elliptic curves ---- */

struct agreement {
	size_t len; /* of a coordinate */
	EVP_PKEY *own;
	EVP_PKEY *theirs;
	uint8_t own_point[POINT_MAX];
	uint8_t their_point[POINT_MAX];
	uint8_t shared[COORDINATE_MAX];
};

static const char *group_of(TPMI_ECC_CURVE curve)
{
	return curve == TPM2_ECC_NIST_P384 ? "P-384" : "P-256";
}

/* Uncompressed, with leading zeros. */
static bool put_point(const TPMS_ECC_POINT *point, size_t len, uint8_t out[static POINT_MAX])
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
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, len),
		OSSL_PARAM_construct_end()};
	EVP_PKEY *pkey = NULL;

	strcpy(name, group);
	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	return pkey;
}

static bool agree(struct agreement *agreement)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(agreement->own, NULL);
	size_t len = sizeof(agreement->shared);
	bool good = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
		    EVP_PKEY_derive_set_peer(context, agreement->theirs) == 1 &&
		    EVP_PKEY_derive(context, agreement->shared, &len) == 1 && len == agreement->len;

	EVP_PKEY_CTX_free(context);
	return good;
}

/* KDFe: what both know, the label, the x of the one who sends and of the one who receives. */
static bool derive_seed(const TPMT_PUBLIC *target, struct agreement *agreement, struct seed *seed)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SSKDF", NULL);
	EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	uint8_t info[sizeof(label) + 2 * COORDINATE_MAX];
	char digest[8];
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, agreement->shared, agreement->len),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, info, sizeof(label) + 2 * agreement->len),
		OSSL_PARAM_construct_end()};

	strcpy(digest, seed_digest_name(target));
	memcpy(info, label, sizeof(label));
	memcpy(info + sizeof(label), agreement->own_point + 1, agreement->len);
	memcpy(info + sizeof(label) + agreement->len, agreement->their_point + 1, agreement->len);
	bool good =
		context != NULL && EVP_KDF_derive(context, seed->bytes, seed->len, parameters) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return good;
}

static bool put_secret(const struct agreement *agreement, TPM2B_ENCRYPTED_SECRET *secret)
{
	TPMS_ECC_POINT point = {.x.size = (UINT16)agreement->len, .y.size = (UINT16)agreement->len};
	size_t at = 0;

	memcpy(point.x.buffer, agreement->own_point + 1, agreement->len);
	memcpy(point.y.buffer, agreement->own_point + 1 + agreement->len, agreement->len);
	if (Tss2_MU_TPMS_ECC_POINT_Marshal(&point, secret->secret, sizeof(secret->secret), &at) !=
		TSS2_RC_SUCCESS)
		return false;
	secret->size = (UINT16)at;
	return true;
}

static bool make_own(struct agreement *agreement, const char *group)
{
	size_t len = 0;

	agreement->own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);
	return agreement->own != NULL &&
	       EVP_PKEY_get_octet_string_param(agreement->own, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
		       agreement->own_point, sizeof(agreement->own_point), &len) == 1 &&
	       len == 1 + 2 * agreement->len && agreement->own_point[0] == 4;
}

static bool make_for_ecc(
	const TPMT_PUBLIC *target, struct seed *seed, TPM2B_ENCRYPTED_SECRET *secret)
{
	TPMI_ECC_CURVE curve = target->parameters.eccDetail.curveID;
	struct agreement agreement = {.len = tpm_curve_len(curve)};
	bool good = put_point(&target->unique.ecc, agreement.len, agreement.their_point) &&
		    make_own(&agreement, group_of(curve));

	if (good)
		agreement.theirs =
			ecc_key(group_of(curve), agreement.their_point, 1 + 2 * agreement.len);
	good = good && agreement.theirs != NULL && agree(&agreement) &&
	       derive_seed(target, &agreement, seed) && put_secret(&agreement, secret);
	EVP_PKEY_free(agreement.own);
	EVP_PKEY_free(agreement.theirs);
	OPENSSL_cleanse(&agreement, sizeof(agreement));
	return good;
}

bool seed_make(const TPMT_PUBLIC *target, struct seed *seed, TPM2B_ENCRYPTED_SECRET *secret)
{
	bool good;

	seed->len = (size_t)EVP_MD_get_size(seed_digest(target));
	good = target->type == TPM2_ALG_RSA ? make_for_rsa(target, seed, secret)
					    : make_for_ecc(target, seed, secret);
	ERR_clear_error();
	return good;
}
