/*
 * Public keys from their blobs. Every key stands in exactly one form: what is not
 * written as RFC 4251 demands is refused, so that equal keys are equal bytes, and rules
 * that compare keys can't be passed by writing one differently.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <keystile/composite.h>
#include <keystile/text.h>

#include "key_kind.h"
#include "public_key_certificate.h"

#define RSA_BITS_MIN 1024
#define RSA_BYTES_MAX ((size_t)16384 / 8)
#define RSA_EXPONENT_BYTES_MAX ((size_t)4)
#define DSS_BITS_MIN 1024
#define DSS_BYTES_MAX ((size_t)3072 / 8)
#define DSS_ORDER_BITS 160
#define ED25519_BYTES ((size_t)32)
#define POINT_UNCOMPRESSED 0x04

/* NULL where OpenSSL refuses what the builder holds; frees neither. */
static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *builder)
{
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(parameters);
	return pkey;
}

/*
 * OpenSSL refuses points that are not on the curve. The curves have no small subgroups, so
 * the much slower EVP_PKEY_public_check() would find nothing more.
 */
static EVP_PKEY *ec_pkey(const char *group, struct bytes point)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY *pkey = NULL;

	if (builder &&
		OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
		OSSL_PARAM_BLD_push_octet_string(
			builder, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len))
		pkey = pkey_from("EC", builder);
	OSSL_PARAM_BLD_free(builder);
	return pkey;
}

static EVP_PKEY *rsa_pkey(struct bytes exponent, struct bytes modulus)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
	BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
	EVP_PKEY *pkey = NULL;

	if (builder && e && n && BN_num_bits(n) >= RSA_BITS_MIN &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
		pkey = pkey_from("RSA", builder);
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(builder);
	return pkey;
}

static EVP_PKEY *dss_pkey(const struct bytes numbers[static 4])
{
	static const char *const names[4] = {OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q,
		OSSL_PKEY_PARAM_FFC_G, OSSL_PKEY_PARAM_PUB_KEY};
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *values[4] = {NULL};
	EVP_PKEY *pkey = NULL;
	bool good = builder != NULL;

	for (unsigned i = 0; i < 4; i++) {
		values[i] = BN_bin2bn(numbers[i].data, (int)numbers[i].len, NULL);
		good = good && values[i] && OSSL_PARAM_BLD_push_BN(builder, names[i], values[i]);
	}
	if (good && BN_num_bits(values[0]) >= DSS_BITS_MIN &&
		BN_num_bits(values[1]) == DSS_ORDER_BITS && BN_cmp(values[2], values[0]) < 0 &&
		BN_cmp(values[3], values[0]) < 0 && BN_num_bits(values[2]) > 1 &&
		BN_num_bits(values[3]) > 1)
		pkey = pkey_from("DSA", builder);
	for (unsigned i = 0; i < 4; i++)
		BN_free(values[i]);
	OSSL_PARAM_BLD_free(builder);
	return pkey;
}

/* OpenSSL takes any 32 bytes here, as OpenSSH does; what is no point verifies nothing. */
static void read_ed25519(struct reader *in, struct public_key *key)
{
	struct bytes point = reader_string(in);

	if (point.len == ED25519_BYTES)
		key->pkey = EVP_PKEY_new_raw_public_key_ex(
			NULL, "ED25519", NULL, point.data, point.len);
}

static void read_composite(struct reader *in, struct public_key *key)
{
	struct bytes both = reader_string(in);

	if (both.len != COMPOSITE_PUBLIC)
		return;
	key->pkey = EVP_PKEY_new_raw_public_key_ex(
		NULL, COMPOSITE_MLDSA, NULL, both.data, COMPOSITE_MLDSA_PUBLIC);
	key->second = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
		both.data + COMPOSITE_MLDSA_PUBLIC, COMPOSITE_ED25519_PUBLIC);
}

static void read_ecdsa(struct reader *in, struct public_key *key)
{
	const struct key_kind_facts *facts = key_kind_facts(key->kind);
	struct bytes curve = reader_string(in);
	struct bytes point = reader_string(in);

	if (bytes_equal_text(curve, facts->curve) && point.len == 1 + 2 * facts->coordinate &&
		point.data[0] == POINT_UNCOMPRESSED)
		key->pkey = ec_pkey(facts->group, point);
}

static bool is_odd(struct bytes number)
{
	return number.len > 0 && (number.data[number.len - 1] & 1);
}

static void read_rsa(struct reader *in, struct public_key *key)
{
	struct bytes exponent = reader_mpint(in, RSA_EXPONENT_BYTES_MAX);
	struct bytes modulus = reader_mpint(in, RSA_BYTES_MAX);
	struct buf rebuilt = {0};

	public_key_put_rsa(&rebuilt, exponent, modulus);
	if (is_odd(exponent) && is_odd(modulus) && !(exponent.len == 1 && exponent.data[0] == 1) &&
		bytes_equal(buf_bytes(&rebuilt), buf_bytes(&key->plain)))
		key->pkey = rsa_pkey(exponent, modulus);
	buf_deinit(&rebuilt);
}

static void read_dss(struct reader *in, struct public_key *key)
{
	struct bytes numbers[4];
	struct buf rebuilt = {0};

	for (unsigned i = 0; i < 4; i++)
		numbers[i] = reader_mpint(in, DSS_BYTES_MAX);
	public_key_put_dss(&rebuilt, numbers);
	if (is_odd(numbers[0]) && is_odd(numbers[1]) &&
		bytes_equal(buf_bytes(&rebuilt), buf_bytes(&key->plain)))
		key->pkey = dss_pkey(numbers);
	buf_deinit(&rebuilt);
}

static void read_application(struct reader *in, struct public_key *key)
{
	struct bytes text = reader_string(in);

	if (!in->failed && (text.len == 0 || !memchr(text.data, '\0', text.len)))
		key->application = strndup(text.len > 0 ? (const char *)text.data : "", text.len);
	if (!key->application)
		in->failed = true;
}

/* Fills in pkey and application from key->plain. */
static enum ks_error read_plain(struct public_key *key)
{
	struct reader in = reader_of(buf_bytes(&key->plain));

	reader_string(&in); /* the kind is known */
	if (key->kind == KEY_RSA)
		read_rsa(&in, key);
	else if (key->kind == KEY_DSS)
		read_dss(&in, key);
	else if (key_kind_facts(key->kind)->curve)
		read_ecdsa(&in, key);
	else if (key_kind_facts(key->kind)->composite)
		read_composite(&in, key);
	else
		read_ed25519(&in, key);
	if (key_kind_facts(key->kind)->security_key)
		read_application(&in, key);
	if (!key->pkey || (key_kind_facts(key->kind)->composite && !key->second)) {
		ERR_clear_error();
		return KS_BAD_INPUT;
	}
	return reader_end(&in);
}

enum ks_error public_key_kind_known(struct bytes blob)
{
	struct reader in = reader_of(blob);
	struct bytes name = reader_string(&in);
	enum key_kind kind;
	bool certificate;

	if (in.failed)
		return KS_BAD_INPUT;
	return key_kind_by_name(name, &kind, &certificate) ? KS_OK : KS_UNSUPPORTED;
}

enum ks_error public_key_parse(struct bytes blob, struct public_key **out)
{
	struct reader in = reader_of(blob);
	struct bytes name = reader_string(&in);
	struct public_key *key;
	enum ks_error error;

	*out = NULL;
	if (in.failed)
		return KS_BAD_INPUT;
	key = calloc(1, sizeof(*key));
	if (!key)
		return KS_NO_MEMORY;
	if (!key_kind_by_name(name, &key->kind, &key->certificate)) {
		public_key_free(&key);
		return KS_UNSUPPORTED;
	}
	if (key->certificate) {
		error = certificate_read(&in, blob, key);
	} else {
		buf_put(&key->plain, blob);
		error = buf_status(&key->plain);
	}
	if (error == KS_OK)
		error = read_plain(key);
	if (error != KS_OK)
		public_key_free(&key);
	*out = key;
	return error;
}

void public_key_free(struct public_key **key)
{
	if (!*key)
		return;
	EVP_PKEY_free((*key)->pkey);
	EVP_PKEY_free((*key)->second);
	free((*key)->application);
	buf_deinit(&(*key)->plain);
	buf_deinit(&(*key)->signature_key);
	buf_deinit(&(*key)->principals);
	free(*key);
	*key = NULL;
}

unsigned public_key_bits(const struct public_key *key)
{
	unsigned bits = key_kind_facts(key->kind)->bits;

	return bits ? bits : (unsigned)EVP_PKEY_get_bits(key->pkey);
}

char *public_key_fingerprint(struct bytes blob)
{
	unsigned char digest[32];
	unsigned char base64[4 * ((sizeof(digest) + 2) / 3) + 1];
	size_t len;

	if (EVP_Digest(blob.data, blob.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return NULL;
	EVP_EncodeBlock(base64, digest, sizeof(digest));
	len = strcspn((const char *)base64, "=");
	return text_format("SHA256:%.*s", (int)len, (const char *)base64);
}
