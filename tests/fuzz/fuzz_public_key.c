/*
 * Hostile keys, certificates and signatures. The input is a string with the key's blob, a
 * string with a signature, and the data that is said to be signed.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What parsing promises of each key. */
static void check_key(const struct public_key *key, struct bytes blob)
{
	struct public_key *plain;
	AUTO(text) fingerprint = public_key_fingerprint(blob);

	require(fingerprint != NULL && strlen(fingerprint) == strlen("SHA256:") + 43);
	require(key->pkey != NULL && public_key_bits(key) >= 256);
	require(key->certificate || bytes_equal(buf_bytes(&key->plain), blob));
	require(public_key_parse(buf_bytes(&key->plain), &plain) == KS_OK);
	require(plain->kind == key->kind && !plain->certificate);
	require(EVP_PKEY_eq(plain->pkey, key->pkey) == 1);
	public_key_free(&plain);
}

/* Every key that is no security key's can be built again from what OpenSSL holds. */
static void check_rebuilt(const struct public_key *key)
{
	AUTO(buf) rebuilt = {0};

	if (key->application)
		return;
	require(public_key_put_pkey(&rebuilt, key->pkey) == KS_OK);
	require(bytes_equal(buf_bytes(&rebuilt), buf_bytes(&key->plain)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader in = reader_of(BYTES(data, len));
	struct bytes blob = reader_string(&in), signature = reader_string(&in);
	struct signature_facts facts = {.algorithm = KS_ALGORITHM_COUNT};
	struct public_key *key;

	if (public_key_parse(blob, &key) != KS_OK) {
		require(key == NULL);
		return 0;
	}
	check_key(key, blob);
	check_rebuilt(key);
	if (public_key_verify(key, signature, BYTES(in.data, in.left), PERMIT_RSA_SHA1 | PERMIT_DSS,
		    &facts) == KS_OK)
		require(bytes_equal_text(reader_string(&(struct reader){
						 .data = signature.data, .left = signature.len}),
			ks_algorithm_name(facts.algorithm)));
	else
		require(facts.algorithm == KS_ALGORITHM_COUNT);
	public_key_free(&key);
	return 0;
}
