/*
 * Do the halves of a key belong together? Whoever adds a key may have made it up. What is looked at
 * is what a signature would rest on, at a cost that grows with no more than one operation with the
 * key: that primes are prime is their owner's concern.
 */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <keystile/composite.h>

#include "material.h"

#define ED25519_BYTES ((size_t)32)

/* The public key stands three times in what a client sends, or four with a certificate. */
static bool ed25519_belongs(const struct private_key *key, const struct public_key *public)
{
	uint8_t own[ED25519_BYTES], derived[ED25519_BYTES];
	size_t own_len = sizeof(own), derived_len = sizeof(derived);
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(
		NULL, "ED25519", NULL, key->scalar.data, ED25519_BYTES);
	bool same = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, derived, &derived_len) == 1 &&
		    EVP_PKEY_get_raw_public_key(public->pkey, own, &own_len) == 1 &&
		    memcmp(derived, own, sizeof(own)) == 0 &&
		    memcmp(key->point.data, own, sizeof(own)) == 0 &&
		    memcmp(key->scalar.data + ED25519_BYTES, own, sizeof(own)) == 0;

	EVP_PKEY_free(pkey);
	return same;
}

/* The private number is in its range, and the public part is computed from it again. */
static bool openssl_agrees(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool good = context != NULL && EVP_PKEY_private_check(context) == 1 &&
		    EVP_PKEY_pairwise_check(context) == 1;

	EVP_PKEY_CTX_free(context);
	return good;
}

/* With another order of g, OpenSSL might search for a signature that does not exist. */
static bool dss_order_fits(EVP_PKEY *pkey)
{
	BIGNUM *p = NULL, *q = NULL, *g = NULL, *power = BN_new();
	BN_CTX *context = BN_CTX_new();
	bool fits = context != NULL && power != NULL &&
		    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_FFC_P, &p) == 1 &&
		    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_FFC_Q, &q) == 1 &&
		    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_FFC_G, &g) == 1 &&
		    BN_mod_exp(power, g, q, p, context) == 1 && BN_is_one(power);

	BN_free(g);
	BN_free(q);
	BN_free(p);
	BN_free(power);
	BN_CTX_free(context);
	return fits;
}

/* a * b mod m is 1, all of them secret. */
static bool inverse_modulo(const BIGNUM *a, const BIGNUM *b, const BIGNUM *m, BN_CTX *context)
{
	BIGNUM *product = BN_new();
	bool is_one;

	if (product == NULL)
		return false;
	BN_set_flags(product, BN_FLG_CONSTTIME);
	is_one = BN_mul(product, a, b, context) == 1 && BN_mod(product, product, m, context) == 1 &&
		 BN_is_one(product);
	BN_clear_free(product);
	return is_one;
}

enum { N, E, D, P, Q, IQMP, RSA_NUMBERS };

static bool rsa_numbers_belong(BIGNUM *const numbers[static RSA_NUMBERS], BN_CTX *context)
{
	BIGNUM *product = BN_new(), *p_less = BN_dup(numbers[P]), *q_less = BN_dup(numbers[Q]);
	bool good = product != NULL && p_less != NULL && q_less != NULL &&
		    BN_mul(product, numbers[P], numbers[Q], context) == 1 &&
		    BN_cmp(product, numbers[N]) == 0 && BN_sub_word(p_less, 1) == 1 &&
		    BN_sub_word(q_less, 1) == 1 && BN_cmp(numbers[D], numbers[N]) < 0;

	if (good) {
		BN_set_flags(p_less, BN_FLG_CONSTTIME);
		BN_set_flags(q_less, BN_FLG_CONSTTIME);
		good = inverse_modulo(numbers[D], numbers[E], p_less, context) &&
		       inverse_modulo(numbers[D], numbers[E], q_less, context) &&
		       inverse_modulo(numbers[IQMP], numbers[Q], numbers[P], context);
	}
	BN_clear_free(q_less);
	BN_clear_free(p_less);
	BN_clear_free(product);
	return good;
}

static bool rsa_belongs(EVP_PKEY *pkey)
{
	static const char *const names[RSA_NUMBERS] = {
		[N] = OSSL_PKEY_PARAM_RSA_N,
		[E] = OSSL_PKEY_PARAM_RSA_E,
		[D] = OSSL_PKEY_PARAM_RSA_D,
		[P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
		[Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,
		[IQMP] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	};
	BIGNUM *numbers[RSA_NUMBERS] = {NULL};
	BN_CTX *context = BN_CTX_new();
	bool good = context != NULL;

	for (unsigned i = 0; i < RSA_NUMBERS; i++) {
		good = good && EVP_PKEY_get_bn_param(pkey, names[i], &numbers[i]) == 1;
		if (numbers[i] != NULL && i != N && i != E)
			BN_set_flags(numbers[i], BN_FLG_CONSTTIME);
	}
	good = good && rsa_numbers_belong(numbers, context);
	for (unsigned i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(numbers[i]);
	BN_CTX_free(context);
	return good;
}

/* Its private part is in the token: all that can be compared stands in the certificate. */
static bool security_key_belongs(const struct private_key *key, const struct public_key *public)
{
	struct reader in = reader_of(buf_bytes(&public->plain));

	if (!bytes_equal_text(key->application, public->application))
		return false;
	reader_string(&in);
	return key->kind != KEY_SK_ED25519 || bytes_equal(reader_string(&in), key->point);
}

static bool same_public(EVP_PKEY *derived, EVP_PKEY *own, size_t len)
{
	uint8_t halves[2][COMPOSITE_MLDSA_PUBLIC];
	size_t lens[2] = {sizeof(halves[0]), sizeof(halves[1])};

	return EVP_PKEY_get_raw_public_key(derived, halves[0], &lens[0]) == 1 &&
	       EVP_PKEY_get_raw_public_key(own, halves[1], &lens[1]) == 1 && lens[0] == len &&
	       lens[1] == len && memcmp(halves[0], halves[1], len) == 0;
}

static bool composite_belongs(const struct public_key *public, const struct usable *usable)
{
	return usable->second != NULL &&
	       same_public(usable->pkey, public->pkey, COMPOSITE_MLDSA_PUBLIC) &&
	       same_public(usable->second, public->second, COMPOSITE_ED25519_PUBLIC);
}

bool material_belongs(
	const struct private_key *key, const struct public_key *public, const struct usable *usable)
{
	EVP_PKEY *pkey = usable->pkey;

	switch (key->kind) {
	case KEY_SK_ED25519:
	case KEY_SK_ECDSA_P256:
		return security_key_belongs(key, public);
	case KEY_ED25519:
		return pkey != NULL && ed25519_belongs(key, public);
	case KEY_RSA:
		return pkey != NULL && rsa_belongs(pkey);
	case KEY_DSS:
		return pkey != NULL && dss_order_fits(pkey) && openssl_agrees(pkey);
	case KEY_MLDSA44_ED25519:
	case KEY_MLDSA44_ED25519_EARLY:
		return pkey != NULL && composite_belongs(public, usable);
	default:
		return pkey != NULL && openssl_agrees(pkey);
	}
}

static enum ks_error read_whole(struct bytes bytes, struct private_key *key, const char **why)
{
	struct reader in = reader_of(bytes);
	enum ks_error error = private_key_read(&in, key);

	*why = error == KS_UNSUPPORTED ? "keys of its type are not known here" : "it is malformed";
	return error == KS_OK ? reader_end(&in) : error;
}

enum ks_error material_accept(struct bytes bytes, struct private_key *key, struct buf *blob,
	struct usable *usable, const char **why)
{
	size_t start = blob->len;
	struct public_key *public = NULL;
	struct material material;
	enum ks_error error = read_whole(bytes, key, why);

	*usable = (struct usable){0};
	if (error == KS_OK)
		error = private_key_put_public(key, blob);
	if (error == KS_OK)
		error = public_key_parse(BYTES(blob->data + start, blob->len - start), &public);
	if (error != KS_OK)
		return error;
	material = material_of(key);
	*usable = material_make(public, &material);
	if (!material_belongs(key, public, usable)) {
		*why = "its private and its public part do not belong together";
		usable_free(usable);
		error = KS_BAD_INPUT;
	}
	public_key_free(&public);
	ERR_clear_error();
	return error;
}
