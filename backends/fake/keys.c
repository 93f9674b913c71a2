/*
 * Real keys and real signatures by OpenSSL, from numbers that anybody can compute.
 */
#include "keys.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include <keystile/cleanup.h>

#define RSA_PRIME_BITS 1024
#define RSA_PRIME_BYTES (RSA_PRIME_BITS / 8)
#define RSA_EXPONENT 65537
#define PRIME_STEPS_MAX 100000
#define SECRET_MAX 256 /* bytes from a name: two primes of RSA */
#define RAW_MAX 1024   /* of a signature */

typedef EVP_PKEY_CTX *pkey_context_auto;
typedef EVP_MD_CTX *digest_auto;
typedef BN_CTX *bn_context_auto;
typedef EC_GROUP *group_auto;
typedef EC_POINT *point_auto;
typedef OSSL_PARAM_BLD *builder_auto;
typedef OSSL_PARAM *params_auto;
typedef ECDSA_SIG *ecdsa_auto;

#define CLEANUP(type, free_function)                                                               \
	static void type##_cleanup(type##_auto *value)                                             \
	{                                                                                          \
		free_function(*value);                                                             \
	}

CLEANUP(pkey_context, EVP_PKEY_CTX_free)
CLEANUP(digest, EVP_MD_CTX_free)
CLEANUP(bn_context, BN_CTX_free)
CLEANUP(group, EC_GROUP_free)
CLEANUP(point, EC_POINT_free)
CLEANUP(builder, OSSL_PARAM_BLD_free)
CLEANUP(params, OSSL_PARAM_free)
CLEANUP(ecdsa, ECDSA_SIG_free)

static bool bytes_of_name(const char *name, uint8_t out[static SECRET_MAX])
{
	const char *prefix = "keystile fake ";
	AUTO(digest) digest = EVP_MD_CTX_new();

	return digest != NULL && EVP_DigestInit_ex(digest, EVP_shake256(), NULL) == 1 &&
	       EVP_DigestUpdate(digest, prefix, strlen(prefix)) == 1 &&
	       EVP_DigestUpdate(digest, name, strlen(name)) == 1 &&
	       EVP_DigestFinalXOF(digest, out, SECRET_MAX) == 1;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *builder)
{
	AUTO(params) params = OSSL_PARAM_BLD_to_param(builder);
	AUTO(pkey_context) context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
		return NULL;
	return pkey;
}

/* ---- ECDSA ---- */

/* The private number, 1 to order - 1, and its point. Numbers belong to context. */
static BIGNUM *ecdsa_numbers(
	const EC_GROUP *group, const uint8_t *secret, BN_CTX *context, EC_POINT *point)
{
	BIGNUM *number = BN_CTX_get(context);
	BIGNUM *below_order = BN_CTX_get(context);
	int len = (EC_GROUP_order_bits(group) + 7) / 8 + 16; /* longer, so that none is favoured */

	if (below_order == NULL || BN_bin2bn(secret, len, number) == NULL ||
		BN_sub(below_order, EC_GROUP_get0_order(group), BN_value_one()) != 1 ||
		BN_mod(number, number, below_order, context) != 1 || BN_add_word(number, 1) != 1 ||
		EC_POINT_mul(group, point, number, NULL, NULL, context) != 1)
		return NULL;
	return number;
}

static EVP_PKEY *make_ecdsa(const uint8_t *secret, int curve)
{
	uint8_t encoded[2 * 66 + 1];
	AUTO(group) group = EC_GROUP_new_by_curve_name(curve);
	AUTO(bn_context) context = BN_CTX_new();
	AUTO(point) point = group != NULL ? EC_POINT_new(group) : NULL;
	AUTO(builder) builder = OSSL_PARAM_BLD_new();

	if (point == NULL || context == NULL || builder == NULL)
		return NULL;
	BN_CTX_start(context);
	const BIGNUM *number = ecdsa_numbers(group, secret, context, point);
	size_t len = EC_POINT_point2oct(
		group, point, POINT_CONVERSION_UNCOMPRESSED, encoded, sizeof(encoded), context);
	EVP_PKEY *pkey = NULL;
	if (number != NULL && len > 0 &&
		OSSL_PARAM_BLD_push_utf8_string(
			builder, OSSL_PKEY_PARAM_GROUP_NAME, OBJ_nid2sn(curve), 0) == 1 &&
		OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, encoded, len) ==
			1 &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1)
		pkey = pkey_from("EC", builder);
	BN_CTX_end(context);
	return pkey;
}

/* ---- RSA ---- */

/* The first fitting prime from the number that the secret gives, its two highest bits set. */
static bool next_prime(BIGNUM *prime, const uint8_t *secret, BN_CTX *context)
{
	if (BN_bin2bn(secret, RSA_PRIME_BYTES, prime) == NULL ||
		BN_set_bit(prime, RSA_PRIME_BITS - 1) != 1 ||
		BN_set_bit(prime, RSA_PRIME_BITS - 2) != 1 || BN_set_bit(prime, 0) != 1)
		return false;
	for (int step = 0; step < PRIME_STEPS_MAX; step++) {
		if (BN_mod_word(prime, RSA_EXPONENT) != 1 &&
			BN_check_prime(prime, context, NULL) == 1)
			return true;
		if (BN_add_word(prime, 2) != 1)
			return false;
	}
	return false;
}

struct rsa_numbers {
	BIGNUM *p, *q, *n, *e, *d, *exponent1, *exponent2, *coefficient;
};

/* RFC 8017 section 3.2. Numbers belong to context. */
static bool rsa_numbers(struct rsa_numbers *rsa, const uint8_t *secret, BN_CTX *context)
{
	BIGNUM *p1 = BN_CTX_get(context);
	BIGNUM *q1 = BN_CTX_get(context);
	BIGNUM *phi = BN_CTX_get(context);
	BIGNUM **const numbers[] = {&rsa->p, &rsa->q, &rsa->n, &rsa->e, &rsa->d, &rsa->exponent1,
		&rsa->exponent2, &rsa->coefficient};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		*numbers[i] = BN_CTX_get(context);
	return rsa->coefficient != NULL && next_prime(rsa->p, secret, context) &&
	       next_prime(rsa->q, secret + RSA_PRIME_BYTES, context) &&
	       BN_set_word(rsa->e, RSA_EXPONENT) == 1 &&
	       BN_mul(rsa->n, rsa->p, rsa->q, context) == 1 &&
	       BN_sub(p1, rsa->p, BN_value_one()) == 1 && BN_sub(q1, rsa->q, BN_value_one()) == 1 &&
	       BN_mul(phi, p1, q1, context) == 1 &&
	       BN_mod_inverse(rsa->d, rsa->e, phi, context) != NULL &&
	       BN_mod(rsa->exponent1, rsa->d, p1, context) == 1 &&
	       BN_mod(rsa->exponent2, rsa->d, q1, context) == 1 &&
	       BN_mod_inverse(rsa->coefficient, rsa->q, rsa->p, context) != NULL;
}

static bool push_rsa(OSSL_PARAM_BLD *builder, const struct rsa_numbers *rsa)
{
	const struct {
		const char *name;
		const BIGNUM *number;
	} fields[] = {
		{OSSL_PKEY_PARAM_RSA_N, rsa->n},
		{OSSL_PKEY_PARAM_RSA_E, rsa->e},
		{OSSL_PKEY_PARAM_RSA_D, rsa->d},
		{OSSL_PKEY_PARAM_RSA_FACTOR1, rsa->p},
		{OSSL_PKEY_PARAM_RSA_FACTOR2, rsa->q},
		{OSSL_PKEY_PARAM_RSA_EXPONENT1, rsa->exponent1},
		{OSSL_PKEY_PARAM_RSA_EXPONENT2, rsa->exponent2},
		{OSSL_PKEY_PARAM_RSA_COEFFICIENT1, rsa->coefficient},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (OSSL_PARAM_BLD_push_BN(builder, fields[i].name, fields[i].number) != 1)
			return false;
	return true;
}

static EVP_PKEY *make_rsa(const uint8_t *secret)
{
	struct rsa_numbers rsa;
	EVP_PKEY *pkey = NULL;
	AUTO(bn_context) context = BN_CTX_new();
	AUTO(builder) builder = OSSL_PARAM_BLD_new();

	if (context == NULL || builder == NULL)
		return NULL;
	BN_CTX_start(context);
	if (rsa_numbers(&rsa, secret, context) && push_rsa(builder, &rsa))
		pkey = pkey_from("RSA", builder);
	BN_CTX_end(context);
	return pkey;
}

EVP_PKEY *fake_key_make(const char *name, enum fake_kind kind)
{
	uint8_t secret[SECRET_MAX];

	if (!bytes_of_name(name, secret))
		return NULL;
	switch (kind) {
	case FAKE_ED25519:
		return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32);
	case FAKE_P256:
		return make_ecdsa(secret, NID_X9_62_prime256v1);
	case FAKE_P384:
		return make_ecdsa(secret, NID_secp384r1);
	case FAKE_P521:
		return make_ecdsa(secret, NID_secp521r1);
	default:
		return make_rsa(secret);
	}
}

/* ---- Signing ---- */

static const struct scheme {
	const char *key; /* OpenSSL's name of the key's type */
	int bits;	 /* of the curve, 0: any */
	const char *digest;
} schemes[KS_ALGORITHM_COUNT] = {
	[KS_ALGORITHM_ED25519] = {"ED25519", 0, NULL},
	[KS_ALGORITHM_ECDSA_P256] = {"EC", 256, "SHA256"},
	[KS_ALGORITHM_ECDSA_P384] = {"EC", 384, "SHA384"},
	[KS_ALGORITHM_ECDSA_P521] = {"EC", 521, "SHA512"},
	[KS_ALGORITHM_RSA_SHA256] = {"RSA", 0, "SHA256"},
	[KS_ALGORITHM_RSA_SHA512] = {"RSA", 0, "SHA512"},
};

/* OpenSSL's DER to r and s of equal length, as tokens return them. */
static size_t der_to_raw(uint8_t raw[static RAW_MAX], size_t len, int bits)
{
	const uint8_t *der = raw;
	int half = (bits + 7) / 8;
	AUTO(ecdsa) both = d2i_ECDSA_SIG(NULL, &der, (long)len);

	if (both == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(both), raw, half) != half ||
		BN_bn2binpad(ECDSA_SIG_get0_s(both), raw + half, half) != half)
		return 0;
	return (size_t)half * 2;
}

enum ks_error fake_key_sign(
	EVP_PKEY *pkey, enum ks_algorithm algorithm, struct bytes data, struct buf *signature)
{
	const struct scheme *scheme = &schemes[algorithm];
	uint8_t raw[RAW_MAX];
	size_t len = sizeof(raw);
	AUTO(digest) context = EVP_MD_CTX_new();

	if (scheme->key == NULL || !EVP_PKEY_is_a(pkey, scheme->key) ||
		(scheme->bits != 0 && EVP_PKEY_get_bits(pkey) != scheme->bits))
		return KS_UNSUPPORTED;
	if (context == NULL ||
		EVP_DigestSignInit_ex(context, NULL, scheme->digest, NULL, NULL, pkey, NULL) != 1 ||
		EVP_DigestSign(context, raw, &len, data.data, data.len) != 1)
		return KS_DEVICE_FAILED;
	if (scheme->bits != 0)
		len = der_to_raw(raw, len, scheme->bits);
	return len > 0 ? signature_put(signature, algorithm, BYTES(raw, len)) : KS_DEVICE_FAILED;
}
