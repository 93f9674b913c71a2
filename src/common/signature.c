/*
 * Signatures as they stand on the wire: verified against a key, or written from what a
 * token returned (RFC 4253 section 6.6, RFC 5656 section 3.1.2, RFC 8332, RFC 8709,
 * PROTOCOL.u2f).
 */
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <keystile/composite.h>

#include "key_kind.h"

#define DSS_NUMBER_BYTES ((size_t)20)
#define ED25519_SIGNATURE_BYTES ((size_t)64)
#define RSA_BYTES_MAX ((size_t)16384 / 8)
#define SHA256_BYTES ((size_t)32)

/* What is checked in the end: a signature in OpenSSL's form over a message. */
struct check {
	const struct public_key *key;
	struct signature_facts facts;
	struct bytes inner; /* the blob within the signature */
	struct bytes message;
};

static bool permitted_algorithm(enum ks_algorithm algorithm, unsigned permitted)
{
	if (algorithm == KS_ALGORITHM_RSA_SHA1)
		return permitted & PERMIT_RSA_SHA1;
	return algorithm != KS_ALGORITHM_DSS || (permitted & PERMIT_DSS);
}

static enum ks_error read_signature(struct bytes signature, unsigned permitted, struct check *check)
{
	struct reader in = reader_of(signature);
	struct bytes name = reader_string(&in);

	check->inner = reader_string(&in);
	check->facts.security_key = key_kind_facts(check->key->kind)->security_key;
	if (check->facts.security_key) {
		check->facts.sk_flags = reader_u8(&in);
		check->facts.sk_counter = reader_u32(&in);
	}
	if (reader_end(&in) != KS_OK)
		return KS_BAD_INPUT;
	if (!ks_algorithm_by_name(name, &check->facts.algorithm) ||
		algorithm_facts(check->facts.algorithm)->kind != check->key->kind)
		return KS_REFUSED;
	if (!permitted_algorithm(check->facts.algorithm, permitted))
		return KS_REFUSED;
	return KS_OK;
}

static enum ks_error verify_raw(const struct check *check, struct bytes signature)
{
	const struct algorithm_facts *facts = algorithm_facts(check->facts.algorithm);
	const EVP_MD *digest = facts->digest ? facts->digest() : NULL;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	enum ks_error error = KS_REFUSED;

	if (!context)
		return KS_NO_MEMORY;
	if (EVP_DigestVerifyInit(context, NULL, digest, NULL, check->key->pkey) == 1 &&
		EVP_DigestVerify(context, signature.data, signature.len, check->message.data,
			check->message.len) == 1)
		error = KS_OK;
	EVP_MD_CTX_free(context);
	if (error != KS_OK)
		ERR_clear_error();
	return error;
}

/* Some write a signature without its leading zeros; OpenSSH takes that, so we do. */
static enum ks_error verify_rsa(const struct check *check)
{
	uint8_t padded[RSA_BYTES_MAX] = {0};
	size_t size = (size_t)EVP_PKEY_get_size(check->key->pkey);

	if (check->inner.len == 0 || check->inner.len > size || size > sizeof(padded))
		return KS_REFUSED;
	memcpy(padded + size - check->inner.len, check->inner.data, check->inner.len);
	return verify_raw(check, BYTES(padded, size));
}

/* OpenSSL wants the two numbers in DER, which is the same for both kinds of key. */
static enum ks_error verify_numbers(const struct check *check, struct bytes r, struct bytes s)
{
	ECDSA_SIG *numbers = ECDSA_SIG_new();
	BIGNUM *r_number = BN_bin2bn(r.data, (int)r.len, NULL);
	BIGNUM *s_number = BN_bin2bn(s.data, (int)s.len, NULL);
	unsigned char *der = NULL;
	enum ks_error error = KS_NO_MEMORY;
	int len;

	if (numbers && r_number && s_number && ECDSA_SIG_set0(numbers, r_number, s_number) == 1) {
		r_number = s_number = NULL; /* they are of the signature now */
		len = i2d_ECDSA_SIG(numbers, &der);
		if (len > 0)
			error = verify_raw(check, BYTES(der, (size_t)len));
	}
	OPENSSL_free(der);
	BN_free(s_number);
	BN_free(r_number);
	ECDSA_SIG_free(numbers);
	return error;
}

static enum ks_error verify_ecdsa(const struct check *check)
{
	size_t size = key_kind_facts(check->key->kind)->coordinate;
	struct reader in = reader_of(check->inner);
	struct bytes r = reader_mpint(&in, size);
	struct bytes s = reader_mpint(&in, size);

	return reader_end(&in) == KS_OK ? verify_numbers(check, r, s) : KS_BAD_INPUT;
}

static enum ks_error verify_dss(const struct check *check)
{
	struct reader in = reader_of(check->inner);
	struct bytes r = reader_raw(&in, DSS_NUMBER_BYTES);
	struct bytes s = reader_raw(&in, DSS_NUMBER_BYTES);

	return reader_end(&in) == KS_OK ? verify_numbers(check, r, s) : KS_BAD_INPUT;
}

static enum ks_error verify_message(const struct check *check)
{
	if (check->key->kind == KEY_RSA)
		return verify_rsa(check);
	if (check->key->kind == KEY_DSS)
		return verify_dss(check);
	if (key_kind_facts(check->key->kind)->curve)
		return verify_ecdsa(check);
	if (key_kind_facts(check->key->kind)->composite)
		return composite_verify(
			check->key->pkey, check->key->second, check->inner, check->message);
	return verify_raw(check, check->inner);
}

static void put_sha256(struct buf *out, struct bytes data)
{
	uint8_t digest[SHA256_BYTES];

	if (EVP_Digest(data.data, data.len, digest, NULL, EVP_sha256(), NULL) != 1)
		out->failed = true;
	else
		buf_put(out, BYTES(digest, sizeof(digest)));
}

/* What an authenticator signs in place of the data (PROTOCOL.u2f, SSH U2F signatures). */
static enum ks_error verify_assertion(struct check *check)
{
	struct buf assertion = {0};
	enum ks_error error;

	put_sha256(&assertion, bytes_of(check->key->application));
	buf_put_u8(&assertion, check->facts.sk_flags);
	buf_put_u32(&assertion, check->facts.sk_counter);
	put_sha256(&assertion, check->message);
	error = buf_status(&assertion);
	check->message = buf_bytes(&assertion);
	if (error == KS_OK)
		error = verify_message(check);
	buf_deinit(&assertion);
	return error;
}

enum ks_error public_key_verify(const struct public_key *key, struct bytes signature,
	struct bytes data, unsigned permitted, struct signature_facts *facts)
{
	struct check check = {.key = key, .message = data};
	enum ks_error error = read_signature(signature, permitted, &check);

	if (error != KS_OK)
		return error;
	error = check.facts.security_key ? verify_assertion(&check) : verify_message(&check);
	if (error == KS_OK && facts)
		*facts = check.facts;
	return error;
}

static bool raw_fits(const struct algorithm_facts *facts, struct bytes raw)
{
	size_t coordinate = key_kind_facts(facts->kind)->coordinate;

	if (facts->kind == KEY_RSA)
		return raw.len > 0 && raw.len <= RSA_BYTES_MAX;
	if (facts->kind == KEY_ED25519)
		return raw.len == ED25519_SIGNATURE_BYTES;
	if (facts->kind == KEY_DSS)
		return raw.len == 2 * DSS_NUMBER_BYTES;
	if (key_kind_facts(facts->kind)->composite)
		return raw.len == COMPOSITE_SIGNATURE;
	return raw.len > 0 && raw.len % 2 == 0 && raw.len <= 2 * coordinate;
}

enum ks_error signature_put(struct buf *out, enum ks_algorithm algorithm, struct bytes raw)
{
	const struct algorithm_facts *facts;
	size_t opened;

	if ((unsigned)algorithm >= KS_ALGORITHM_COUNT)
		return KS_UNSUPPORTED;
	facts = algorithm_facts(algorithm);
	if (key_kind_facts(facts->kind)->security_key)
		return KS_UNSUPPORTED; /* flags and counter would be missing */
	if (!raw_fits(facts, raw))
		return KS_BAD_INPUT;
	buf_put_text(out, facts->name);
	opened = buf_open_string(out);
	if (key_kind_facts(facts->kind)->curve) {
		buf_put_mpint(out, BYTES(raw.data, raw.len / 2));
		buf_put_mpint(out, BYTES(raw.data + raw.len / 2, raw.len / 2));
	} else {
		buf_put(out, raw);
	}
	buf_close_string(out, opened);
	return buf_status(out);
}
