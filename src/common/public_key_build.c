/*
 * Key blobs from what tokens and certificates give: raw points and numbers, or a key
 * that OpenSSL holds.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "key_kind.h"

#define ED25519_BYTES ((size_t)32)
#define COORDINATE_MAX ((size_t)66)
#define DSS_BYTES_MAX ((size_t)3072 / 8)
#define RSA_BYTES_MAX ((size_t)16384 / 8)

void public_key_put_ed25519(struct buf *out, struct bytes point)
{
	buf_put_text(out, key_kind_name(KEY_ED25519));
	buf_put_string(out, point);
}

enum ks_error public_key_put_ecdsa(struct buf *out, enum key_kind kind, struct bytes point)
{
	const struct key_kind_facts *facts;

	if (kind != KEY_ECDSA_P256 && kind != KEY_ECDSA_P384 && kind != KEY_ECDSA_P521)
		return KS_UNSUPPORTED;
	facts = key_kind_facts(kind);
	if (point.len != 1 + 2 * facts->coordinate || point.data[0] != 0x04)
		return KS_BAD_INPUT;
	buf_put_text(out, facts->name);
	buf_put_text(out, facts->curve);
	buf_put_string(out, point);
	return buf_status(out);
}

void public_key_put_rsa(struct buf *out, struct bytes exponent, struct bytes modulus)
{
	buf_put_text(out, key_kind_name(KEY_RSA));
	buf_put_mpint(out, exponent);
	buf_put_mpint(out, modulus);
}

void public_key_put_dss(struct buf *out, const struct bytes numbers[static 4])
{
	buf_put_text(out, key_kind_name(KEY_DSS));
	for (unsigned i = 0; i < 4; i++)
		buf_put_mpint(out, numbers[i]);
}

/* One number of a key as exactly len bytes. */
static bool pkey_number(EVP_PKEY *pkey, const char *name, uint8_t *number, size_t len)
{
	BIGNUM *value = NULL;
	bool fits = EVP_PKEY_get_bn_param(pkey, name, &value) == 1 &&
		    BN_bn2binpad(value, number, (int)len) == (int)len;

	BN_free(value);
	return fits;
}

static enum ks_error put_rsa_pkey(struct buf *out, EVP_PKEY *pkey)
{
	uint8_t exponent[RSA_BYTES_MAX], modulus[RSA_BYTES_MAX];

	if (!pkey_number(pkey, OSSL_PKEY_PARAM_RSA_E, exponent, sizeof(exponent)) ||
		!pkey_number(pkey, OSSL_PKEY_PARAM_RSA_N, modulus, sizeof(modulus)))
		return KS_UNSUPPORTED;
	public_key_put_rsa(out, BYTES(exponent, sizeof(exponent)), BYTES(modulus, sizeof(modulus)));
	return buf_status(out);
}

static enum ks_error put_dss_pkey(struct buf *out, EVP_PKEY *pkey)
{
	static const char *const names[4] = {OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q,
		OSSL_PKEY_PARAM_FFC_G, OSSL_PKEY_PARAM_PUB_KEY};
	uint8_t raw[4][DSS_BYTES_MAX];
	struct bytes numbers[4];

	for (unsigned i = 0; i < 4; i++) {
		if (!pkey_number(pkey, names[i], raw[i], sizeof(raw[i])))
			return KS_UNSUPPORTED;
		numbers[i] = BYTES(raw[i], sizeof(raw[i]));
	}
	public_key_put_dss(out, numbers);
	return buf_status(out);
}

static enum ks_error put_ec_pkey(struct buf *out, EVP_PKEY *pkey)
{
	uint8_t point[1 + 2 * COORDINATE_MAX] = {0x04};
	char group[64];
	size_t size;

	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return KS_UNSUPPORTED;
	for (enum key_kind kind = KEY_ECDSA_P256; kind <= KEY_ECDSA_P521; kind++) {
		if (!bytes_equal_text(bytes_of(group), key_kind_facts(kind)->group))
			continue;
		size = key_kind_facts(kind)->coordinate;
		if (!pkey_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, point + 1, size) ||
			!pkey_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, point + 1 + size, size))
			return KS_UNSUPPORTED;
		return public_key_put_ecdsa(out, kind, BYTES(point, 1 + 2 * size));
	}
	return KS_UNSUPPORTED;
}

static enum ks_error put_ed25519_pkey(struct buf *out, EVP_PKEY *pkey)
{
	uint8_t point[ED25519_BYTES];
	size_t len = sizeof(point);

	if (EVP_PKEY_get_raw_public_key(pkey, point, &len) != 1 || len != sizeof(point))
		return KS_UNSUPPORTED;
	public_key_put_ed25519(out, BYTES(point, len));
	return buf_status(out);
}

enum ks_error public_key_put_pkey(struct buf *out, EVP_PKEY *pkey)
{
	enum ks_error error = KS_UNSUPPORTED;

	if (EVP_PKEY_is_a(pkey, "RSA"))
		error = put_rsa_pkey(out, pkey);
	else if (EVP_PKEY_is_a(pkey, "EC"))
		error = put_ec_pkey(out, pkey);
	else if (EVP_PKEY_is_a(pkey, "DSA"))
		error = put_dss_pkey(out, pkey);
	else if (EVP_PKEY_is_a(pkey, "ED25519"))
		error = put_ed25519_pkey(out, pkey);
	if (error != KS_OK)
		ERR_clear_error();
	return error;
}
