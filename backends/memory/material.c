/*
 * OpenSSL's keys from numbers. They are made anew for each key that was not used for a while, so
 * what can be taken from the public part is not computed again.
 */
#include "material.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <keystile/composite.h>

#define ED25519_SEED_BYTES ((size_t)32)
#define NUMBERS_MAX 8

/* Numbers for OpenSSL, with room for all that a kind has. */
struct numbers {
	OSSL_PARAM_BLD *builder;
	BIGNUM *values[NUMBERS_MAX];
	unsigned count;
	bool failed;
};

static void numbers_deinit(struct numbers *numbers)
{
	for (unsigned i = 0; i < numbers->count; i++)
		BN_clear_free(numbers->values[i]);
	OSSL_PARAM_BLD_free(numbers->builder);
}

/* Takes the value in any case; NULL fails. */
static void add_value(struct numbers *numbers, const char *name, BIGNUM *value)
{
	if (value == NULL || numbers->count == NUMBERS_MAX) {
		BN_clear_free(value);
		numbers->failed = true;
		return;
	}
	numbers->values[numbers->count++] = value;
	if (numbers->builder == NULL || OSSL_PARAM_BLD_push_BN(numbers->builder, name, value) != 1)
		numbers->failed = true;
}

static BIGNUM *secret_number(struct bytes magnitude)
{
	BIGNUM *number = BN_bin2bn(magnitude.data, (int)magnitude.len, NULL);

	if (number != NULL)
		BN_set_flags(number, BN_FLG_CONSTTIME);
	return number;
}

/* Empty numbers are no keys. */
static void add_secret(struct numbers *numbers, const char *name, struct bytes magnitude)
{
	add_value(numbers, name, magnitude.len > 0 ? secret_number(magnitude) : NULL);
}

static void add_public(struct numbers *numbers, const char *name, struct bytes magnitude)
{
	add_value(numbers, name, BN_bin2bn(magnitude.data, (int)magnitude.len, NULL));
}

static EVP_PKEY *make_pkey(const char *type, struct numbers *numbers)
{
	OSSL_PARAM *parameters = numbers->failed ? NULL : OSSL_PARAM_BLD_to_param(numbers->builder);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, parameters) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(parameters);
	return pkey;
}

/* number mod (prime - 1), with which OpenSSL computes for each prime apart. */
static BIGNUM *exponent_for(struct bytes number, struct bytes prime)
{
	BN_CTX *context = BN_CTX_new();
	BIGNUM *value = secret_number(number), *order = secret_number(prime);
	BIGNUM *result = BN_new();

	if (context == NULL || value == NULL || order == NULL || result == NULL ||
		BN_sub_word(order, 1) != 1 || BN_is_zero(order) ||
		BN_mod(result, value, order, context) != 1) {
		BN_clear_free(result);
		result = NULL;
	}
	BN_clear_free(order);
	BN_clear_free(value);
	BN_CTX_free(context);
	return result;
}

static EVP_PKEY *make_rsa(struct reader *public, const struct material *material)
{
	struct numbers numbers = {.builder = OSSL_PARAM_BLD_new()};
	struct bytes d = material->fields[0], p = material->fields[2], q = material->fields[3];
	EVP_PKEY *pkey;

	add_public(&numbers, OSSL_PKEY_PARAM_RSA_E, reader_string(public));
	add_public(&numbers, OSSL_PKEY_PARAM_RSA_N, reader_string(public));
	add_secret(&numbers, OSSL_PKEY_PARAM_RSA_D, d);
	add_secret(&numbers, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, material->fields[1]);
	add_secret(&numbers, OSSL_PKEY_PARAM_RSA_FACTOR1, p);
	add_secret(&numbers, OSSL_PKEY_PARAM_RSA_FACTOR2, q);
	add_value(&numbers, OSSL_PKEY_PARAM_RSA_EXPONENT1, exponent_for(d, p));
	add_value(&numbers, OSSL_PKEY_PARAM_RSA_EXPONENT2, exponent_for(d, q));
	pkey = make_pkey("RSA", &numbers);
	numbers_deinit(&numbers);
	return pkey;
}

static EVP_PKEY *make_dss(struct reader *public, const struct material *material)
{
	static const char *const names[] = {OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q,
		OSSL_PKEY_PARAM_FFC_G, OSSL_PKEY_PARAM_PUB_KEY};
	struct numbers numbers = {.builder = OSSL_PARAM_BLD_new()};
	EVP_PKEY *pkey;

	for (unsigned i = 0; i < 4; i++)
		add_public(&numbers, names[i], reader_string(public));
	add_secret(&numbers, OSSL_PKEY_PARAM_PRIV_KEY, material->fields[0]);
	pkey = make_pkey("DSA", &numbers);
	numbers_deinit(&numbers);
	return pkey;
}

static bool push_octets(struct numbers *numbers, const char *name, struct bytes octets)
{
	return numbers->builder != NULL && OSSL_PARAM_BLD_push_octet_string(numbers->builder, name,
						   octets.data, octets.len) == 1;
}

static EVP_PKEY *make_ec(const char *group, struct reader *public, const struct material *material)
{
	struct numbers numbers = {.builder = OSSL_PARAM_BLD_new()};
	EVP_PKEY *pkey;

	reader_string(public); /* the curve's name */
	numbers.failed = !push_octets(&numbers, OSSL_PKEY_PARAM_PUB_KEY, reader_string(public)) ||
			 OSSL_PARAM_BLD_push_utf8_string(
				 numbers.builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1;
	add_secret(&numbers, OSSL_PKEY_PARAM_PRIV_KEY, material->fields[0]);
	pkey = make_pkey("EC", &numbers);
	numbers_deinit(&numbers);
	return pkey;
}

static EVP_PKEY *make_ed25519(struct reader *public, const struct material *material)
{
	struct numbers numbers = {.builder = OSSL_PARAM_BLD_new()};
	EVP_PKEY *pkey;

	numbers.failed = !push_octets(&numbers, OSSL_PKEY_PARAM_PUB_KEY, reader_string(public)) ||
			 !push_octets(&numbers, OSSL_PKEY_PARAM_PRIV_KEY, material->fields[0]);
	pkey = make_pkey("ED25519", &numbers);
	numbers_deinit(&numbers);
	return pkey;
}

/* From its seed; the public half follows from it. */
static EVP_PKEY *make_mldsa(struct bytes seed)
{
	struct numbers numbers = {.builder = OSSL_PARAM_BLD_new()};
	EVP_PKEY *pkey;

	numbers.failed =
		!push_octets(&numbers, "seed", seed); /* headers before 3.5 lack its name */
	pkey = make_pkey(COMPOSITE_MLDSA, &numbers);
	numbers_deinit(&numbers);
	return pkey;
}

static struct usable make_composite(const struct material *material)
{
	struct bytes seeds = material->fields[0];
	struct usable usable = {
		.pkey = make_mldsa(BYTES(seeds.data, COMPOSITE_SEED)),
		.second = EVP_PKEY_new_raw_private_key_ex(
			NULL, "ED25519", NULL, seeds.data + COMPOSITE_SEED, COMPOSITE_SEED),
	};

	if (usable.pkey == NULL || usable.second == NULL)
		usable_free(&usable);
	return usable;
}

void usable_free(struct usable *usable)
{
	EVP_PKEY_free(usable->pkey);
	EVP_PKEY_free(usable->second);
	*usable = (struct usable){0};
}

struct usable usable_share(const struct usable *usable)
{
	struct usable none = {0};

	if (EVP_PKEY_up_ref(usable->pkey) != 1)
		return none;
	if (usable->second == NULL || EVP_PKEY_up_ref(usable->second) == 1)
		return *usable;
	EVP_PKEY_free(usable->pkey);
	return none;
}

struct material material_of(const struct private_key *key)
{
	struct material material = {.count = 1};

	switch (key->kind) {
	case KEY_ED25519:
		material.fields[0] = BYTES(key->scalar.data, ED25519_SEED_BYTES);
		break;
	case KEY_RSA:
		material.count = MATERIAL_FIELDS;
		for (unsigned i = 0; i < MATERIAL_FIELDS; i++)
			material.fields[i] = key->numbers[2 + i];
		break;
	case KEY_DSS:
		material.fields[0] = key->numbers[4];
		break;
	case KEY_SK_ED25519:
	case KEY_SK_ECDSA_P256:
		material.fields[0] = key->key_handle;
		break;
	default:
		material.fields[0] = key->scalar;
	}
	return material;
}

static EVP_PKEY *make_single(const struct public_key *public, const struct material *material)
{
	struct reader in = reader_of(buf_bytes(&public->plain));

	reader_string(&in); /* the kind is known */
	switch (public->kind) {
	case KEY_ED25519:
		return make_ed25519(&in, material);
	case KEY_ECDSA_P256:
		return make_ec("P-256", &in, material);
	case KEY_ECDSA_P384:
		return make_ec("P-384", &in, material);
	case KEY_ECDSA_P521:
		return make_ec("P-521", &in, material);
	case KEY_RSA:
		return make_rsa(&in, material);
	case KEY_DSS:
		return make_dss(&in, material);
	default:
		return NULL;
	}
}

struct usable material_make(const struct public_key *public, const struct material *material)
{
	if (key_kind_is_composite(public->kind))
		return make_composite(material);
	return (struct usable){.pkey = make_single(public, material)};
}
