/* OpenSSL's ways for the few operations that an authenticator has. */
#include "key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* Nothing that a host sends decides over what is checked with it. */
static void must(bool good)
{
	if (!good) {
		fprintf(stderr, "authenticator: OpenSSL failed\n");
		abort();
	}
}

EVP_PKEY *key_new(enum key_algorithm algorithm)
{
	EVP_PKEY *key = algorithm == KEY_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
					       : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	must(key != NULL);
	return key;
}

EVP_PKEY *key_from_seed(const uint8_t seed[KEY_SEED_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_SEED_LEN);

	must(key != NULL);
	return key;
}

static void coordinate(const EVP_PKEY *key, const char *name, uint8_t out[KEY_COORDINATE])
{
	BIGNUM *number = NULL;

	must(EVP_PKEY_get_bn_param(key, name, &number) == 1);
	must(BN_bn2binpad(number, out, KEY_COORDINATE) == KEY_COORDINATE);
	BN_free(number);
}

void key_point(const EVP_PKEY *key, uint8_t x[KEY_COORDINATE], uint8_t y[KEY_COORDINATE])
{
	coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, x);
	coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, y);
}

EVP_PKEY *key_from_point(const uint8_t x[KEY_COORDINATE], const uint8_t y[KEY_COORDINATE])
{
	uint8_t point[1 + 2 * KEY_COORDINATE] = {4};
	char group[] = "P-256";
	OSSL_PARAM params[3];
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

	memcpy(point + 1, x, KEY_COORDINATE);
	memcpy(point + 1 + KEY_COORDINATE, y, KEY_COORDINATE);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] =
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params[2] = OSSL_PARAM_construct_end();
	must(context != NULL && EVP_PKEY_fromdata_init(context) == 1);
	if (EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

cbor_item_t *key_cose(const EVP_PKEY *key, enum key_algorithm algorithm)
{
	bool edwards = algorithm == KEY_EDDSA;
	cbor_item_t *map = item_new_map(edwards ? 4 : 5);
	uint8_t x[KEY_COORDINATE];
	uint8_t y[KEY_COORDINATE];
	size_t len = sizeof(x);

	if (edwards)
		must(EVP_PKEY_get_raw_public_key(key, x, &len) == 1);
	else
		key_point(key, x, y);
	item_put(map, 1, item_new_number(edwards ? 1 : 2));
	item_put(map, 3, item_new_number(algorithm));
	item_put(map, -1, item_new_number(edwards ? 6 : 1));
	item_put(map, -2, item_new_bytes(x, sizeof(x)));
	if (!edwards)
		item_put(map, -3, item_new_bytes(y, sizeof(y)));
	return map;
}

bool key_agree(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t out[KEY_COORDINATE])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(ours, NULL);
	size_t len = KEY_COORDINATE;
	bool good = false;

	must(context != NULL && EVP_PKEY_derive_init(context) == 1);
	good = EVP_PKEY_derive_set_peer(context, theirs) == 1 &&
	       EVP_PKEY_derive(context, out, &len) == 1 && len == KEY_COORDINATE;
	EVP_PKEY_CTX_free(context);
	return good;
}

size_t key_sign(EVP_PKEY *key, enum key_algorithm algorithm, struct span data,
	uint8_t out[KEY_SIGNATURE_MAX])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const EVP_MD *digest = algorithm == KEY_EDDSA ? NULL : EVP_sha256();
	size_t len = KEY_SIGNATURE_MAX;

	must(context != NULL && EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1);
	must(EVP_DigestSign(context, out, &len, data.data, data.len) == 1);
	EVP_MD_CTX_free(context);
	return len;
}

void key_hash(struct span data, uint8_t out[KEY_HASH_LEN])
{
	must(EVP_Digest(data.data, data.len, out, NULL, EVP_sha256(), NULL) == 1);
}

static void name_certificate(X509 *certificate)
{
	static const char *const parts[][2] = {{"C", "DE"}, {"O", "Keystile tests"},
		{"OU", "Authenticator Attestation"}, {"CN", "Token in software"}};
	X509_NAME *name = X509_NAME_new();

	must(name != NULL);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		must(X509_NAME_add_entry_by_txt(name, parts[i][0], MBSTRING_ASC,
			     (const unsigned char *)parts[i][1], -1, -1, 0) == 1);
	must(X509_set_subject_name(certificate, name) == 1);
	must(X509_set_issuer_name(certificate, name) == 1);
	X509_NAME_free(name);
}

/* id-fido-gen-ce-aaguid (WebAuthn, section 8.2.1): hosts compare it with the authenticator data. */
static void add_aaguid(X509 *certificate, const uint8_t aaguid[16])
{
	uint8_t wrapped[18] = {0x04, 16};
	ASN1_OBJECT *object = OBJ_txt2obj("1.3.6.1.4.1.45724.1.1.4", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension = NULL;

	memcpy(wrapped + 2, aaguid, 16);
	must(object != NULL && value != NULL &&
		ASN1_OCTET_STRING_set(value, wrapped, sizeof(wrapped)) == 1);
	extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value);
	must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

size_t key_certificate(EVP_PKEY *key, const uint8_t aaguid[16], uint8_t *out, size_t room)
{
	X509 *certificate = X509_new();
	X509_EXTENSION *basic = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:FALSE");
	int len = 0;

	must(certificate != NULL && basic != NULL && X509_set_version(certificate, 2) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(certificate), 3650L * 86400) != NULL);
	name_certificate(certificate);
	must(X509_set_pubkey(certificate, key) == 1);
	must(X509_add_ext(certificate, basic, -1) == 1);
	add_aaguid(certificate, aaguid);
	must(X509_sign(certificate, key, EVP_sha256()) > 0);
	len = i2d_X509(certificate, NULL);
	must(len > 0 && (size_t)len <= room);
	len = i2d_X509(certificate, &out);
	X509_EXTENSION_free(basic);
	X509_free(certificate);
	return (size_t)len;
}
