/*
 * Signatures of security keys: written as SSH has them, and verified before anybody gets them.
 */
#include "assertion.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>

#define P256_NUMBER_BYTES 32
#define ED25519_BYTES 64

enum ks_error assertion_hash(struct bytes data, uint8_t out[static TOKEN_HASH_BYTES])
{
	unsigned len = TOKEN_HASH_BYTES;

	return EVP_Digest(data.data, data.len, out, &len, EVP_sha256(), NULL) == 1 ? KS_OK
										   : KS_NO_MEMORY;
}

static void put_number(struct buf *out, const BIGNUM *number)
{
	uint8_t bytes[P256_NUMBER_BYTES];
	int len = BN_num_bytes(number);

	if (len > P256_NUMBER_BYTES)
		return; /* it will not verify */
	BN_bn2bin(number, bytes);
	buf_put_mpint(out, BYTES(bytes, (size_t)len));
}

static void put_ecdsa(struct buf *out, struct bytes der)
{
	const uint8_t *at = der.data;
	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
	size_t opened = buf_open_string(out);

	if (numbers != NULL && at == der.data + der.len) {
		put_number(out, ECDSA_SIG_get0_r(numbers));
		put_number(out, ECDSA_SIG_get0_s(numbers));
	}
	buf_close_string(out, opened);
	ECDSA_SIG_free(numbers);
}

static void put(const struct token_assertion *assertion, enum key_kind kind, struct buf *out)
{
	bool ed25519 = kind == KEY_SK_ED25519;

	buf_put_text(out,
		ks_algorithm_name(ed25519 ? KS_ALGORITHM_SK_ED25519 : KS_ALGORITHM_SK_ECDSA_P256));
	if (ed25519)
		buf_put_string(out, assertion->signature);
	else
		put_ecdsa(out, assertion->signature);
	buf_put_u8(out, assertion->flags);
	buf_put_u32(out, assertion->counter);
}

enum ks_error assertion_put(const struct token_assertion *assertion, struct bytes blob,
	struct bytes data, struct buf *signature)
{
	AUTO(buf) made = {0};
	struct public_key *key;
	enum ks_error error = public_key_parse(blob, &key);

	if (error != KS_OK)
		return error;
	put(assertion, key->kind, &made);
	error = buf_status(&made);
	if (error == KS_OK &&
		public_key_verify(key, buf_bytes(&made), data, PERMIT_NOTHING_OLD, NULL) != KS_OK)
		error = KS_DEVICE_FAILED;
	public_key_free(&key);
	if (error != KS_OK)
		return error;
	buf_put(signature, buf_bytes(&made));
	return buf_status(signature);
}
