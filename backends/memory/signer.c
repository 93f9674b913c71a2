/*
 * Signatures with a key that OpenSSL holds.
 */
#include "signer.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <keystile/composite.h>

#define RAW_MAX COMPOSITE_SIGNATURE /* the longest RSA signature has 2,048 bytes */

static const struct scheme {
	enum key_kind kind;
	const EVP_MD *(*digest)(void); /* NULL: the algorithm hashes by itself */
	int number; /* bytes of r and of s, which OpenSSL puts into DER; 0: it does not */
	bool known;
} schemes[KS_ALGORITHM_COUNT] = {
	[KS_ALGORITHM_ED25519] = {KEY_ED25519, NULL, 0, true},
	[KS_ALGORITHM_ECDSA_P256] = {KEY_ECDSA_P256, EVP_sha256, 32, true},
	[KS_ALGORITHM_ECDSA_P384] = {KEY_ECDSA_P384, EVP_sha384, 48, true},
	[KS_ALGORITHM_ECDSA_P521] = {KEY_ECDSA_P521, EVP_sha512, 66, true},
	[KS_ALGORITHM_RSA_SHA256] = {KEY_RSA, EVP_sha256, 0, true},
	[KS_ALGORITHM_RSA_SHA512] = {KEY_RSA, EVP_sha512, 0, true},
	[KS_ALGORITHM_RSA_SHA1] = {KEY_RSA, EVP_sha1, 0, true},
	[KS_ALGORITHM_DSS] = {KEY_DSS, EVP_sha1, 20, true},
	[KS_ALGORITHM_MLDSA44_ED25519] = {KEY_MLDSA44_ED25519, NULL, 0, true},
	[KS_ALGORITHM_MLDSA44_ED25519_EARLY] = {KEY_MLDSA44_ED25519_EARLY, NULL, 0, true},
};

/* DER to r and s of equal length; 0 where it is none. */
static size_t der_to_raw(uint8_t raw[static RAW_MAX], size_t len, int number)
{
	const uint8_t *der = raw;
	ECDSA_SIG *both = d2i_ECDSA_SIG(NULL, &der, (long)len); /* DSA's looks the same */
	bool good = both != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(both), raw, number) == number &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(both), raw + number, number) == number;

	ECDSA_SIG_free(both);
	return good ? (size_t)number * 2 : 0;
}

/* The length of the signature, 0 where OpenSSL makes none. */
static size_t sign_raw(
	EVP_PKEY *pkey, const struct scheme *scheme, struct bytes data, uint8_t raw[static RAW_MAX])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = RAW_MAX;
	bool good = context != NULL &&
		    EVP_DigestSignInit(context, NULL, scheme->digest ? scheme->digest() : NULL,
			    NULL, pkey) == 1 &&
		    EVP_DigestSign(context, raw, &len, data.data, data.len) == 1;

	EVP_MD_CTX_free(context);
	if (good && scheme->number > 0)
		len = der_to_raw(raw, len, scheme->number);
	ERR_clear_error();
	return good ? len : 0;
}

static bool sign_half(EVP_PKEY *pkey, const OSSL_PARAM *parameters, struct bytes message,
	uint8_t *raw, size_t expected)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = expected;
	bool good = context != NULL &&
		    EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, pkey, parameters) == 1 &&
		    EVP_DigestSign(context, raw, &len, message.data, message.len) == 1;

	EVP_MD_CTX_free(context);
	return good && len == expected;
}

static size_t sign_composite(
	const struct usable *usable, struct bytes data, uint8_t raw[static RAW_MAX])
{
	OSSL_PARAM parameters[COMPOSITE_PARAMETERS];
	uint8_t message[COMPOSITE_MESSAGE];
	bool good;

	composite_parameters(parameters);
	good = composite_message(data, message) &&
	       sign_half(usable->pkey, parameters, BYTES(message, sizeof(message)), raw,
		       COMPOSITE_MLDSA_SIGNATURE) &&
	       sign_half(usable->second, NULL, BYTES(message, sizeof(message)),
		       raw + COMPOSITE_MLDSA_SIGNATURE, COMPOSITE_ED25519_SIGNATURE);
	ERR_clear_error();
	return good ? COMPOSITE_SIGNATURE : 0;
}

enum ks_error signer_sign(const struct usable *usable, enum key_kind kind,
	enum ks_algorithm algorithm, struct bytes data, struct buf *signature)
{
	const struct scheme *scheme;
	uint8_t raw[RAW_MAX];
	size_t len;

	if ((unsigned)algorithm >= KS_ALGORITHM_COUNT)
		return KS_UNSUPPORTED;
	scheme = &schemes[algorithm];
	if (!scheme->known || scheme->kind != kind)
		return KS_UNSUPPORTED;
	len = usable->second != NULL ? sign_composite(usable, data, raw)
				     : sign_raw(usable->pkey, scheme, data, raw);
	return len > 0 ? signature_put(signature, algorithm, BYTES(raw, len)) : KS_DEVICE_FAILED;
}
