/*
 * Hostile private keys: the input is what follows the number in message 17 or 25. What the agent
 * reads of it is judged, then the memory backend is given the same.
 */
#include <stdlib.h>

#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/private_key.h>

#include "material.h"
#include "signer.h"

#define RSA_BITS_MAX 2048 /* a signature with the longest takes seconds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool inside(struct bytes part, struct bytes whole)
{
	return part.len == 0 ||
	       (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

/* What reading promises of each key: it stands in what was read, which is the whole key. */
static void check_read(const struct private_key *key, struct bytes before)
{
	struct reader in = reader_of(key->whole);
	struct private_key again;

	require(inside(key->whole, before) && key->whole.data == before.data);
	require(inside(key->certificate, key->whole) && inside(key->point, key->whole));
	require(inside(key->scalar, key->whole) && inside(key->key_handle, key->whole));
	for (unsigned i = 0; i < 6; i++)
		require(inside(key->numbers[i], key->whole));
	require(private_key_read(&in, &again) == KS_OK && in.left == 0);
	require(again.kind == key->kind && again.whole.len == key->whole.len);
}

static enum ks_algorithm algorithm_for(enum key_kind kind)
{
	static const enum ks_algorithm algorithms[KEY_KIND_COUNT] = {
		[KEY_ED25519] = KS_ALGORITHM_ED25519,
		[KEY_ECDSA_P256] = KS_ALGORITHM_ECDSA_P256,
		[KEY_ECDSA_P384] = KS_ALGORITHM_ECDSA_P384,
		[KEY_ECDSA_P521] = KS_ALGORITHM_ECDSA_P521,
		[KEY_RSA] = KS_ALGORITHM_RSA_SHA256,
		[KEY_DSS] = KS_ALGORITHM_DSS,
		[KEY_MLDSA44_ED25519] = KS_ALGORITHM_MLDSA44_ED25519,
		[KEY_MLDSA44_ED25519_EARLY] = KS_ALGORITHM_MLDSA44_ED25519_EARLY,
	};

	return algorithms[kind];
}

/*
 * What was taken signs. Where nobody looked whether the primes are prime, the signature may be
 * wrong, which is the concern of who made such a key.
 */
static void check_signature(enum key_kind kind, struct bytes blob, const struct usable *usable)
{
	bool unproven = kind == KEY_RSA || kind == KEY_DSS;
	enum ks_algorithm algorithm = algorithm_for(kind);
	AUTO(buf) signature = {0};
	struct public_key *public;
	enum ks_error error;

	require(public_key_parse(blob, &public) == KS_OK && public->kind == kind);
	error = signer_sign(usable, kind, algorithm, bytes_of("data"), &signature);
	require(error == KS_OK || unproven);
	if (error == KS_OK)
		error = public_key_verify(
			public, buf_bytes(&signature), bytes_of("data"), PERMIT_DSS, NULL);
	require(error == KS_OK || unproven);
	public_key_free(&public);
}

static void check_accepted(struct bytes whole, struct bytes listed)
{
	struct private_key key;
	AUTO(buf) blob = {0};
	struct usable usable;
	const char *why = NULL;

	if (material_accept(whole, &key, &blob, &usable, &why) != KS_OK) {
		require(usable.pkey == NULL && why != NULL);
		return;
	}
	require(bytes_equal(buf_bytes(&blob), listed));
	require((usable.pkey == NULL) ==
		(key.kind == KEY_SK_ED25519 || key.kind == KEY_SK_ECDSA_P256));
	if (usable.pkey != NULL &&
		(key.kind != KEY_RSA || EVP_PKEY_get_bits(usable.pkey) <= RSA_BITS_MAX))
		check_signature(key.kind, buf_bytes(&blob), &usable);
	usable_free(&usable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader in = reader_of(BYTES(data, len));
	struct private_key key;
	AUTO(buf) listed = {0};

	if (private_key_read(&in, &key) != KS_OK) {
		require(key.whole.len == 0);
		return 0;
	}
	check_read(&key, BYTES(data, len));
	if (private_key_put_public(&key, &listed) != KS_OK)
		return 0;
	check_accepted(key.whole, buf_bytes(&listed));
	return 0;
}
