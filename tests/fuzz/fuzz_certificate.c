/*
 * Hostile certificates. The input: a string with the blob, a string with a host's name, the time,
 * where a byte is to be changed, and how. What an authority signed holds to the last byte, and a
 * host is named only by what stands in the certificate.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool verifies(struct bytes blob)
{
	struct signature_facts facts;
	struct public_key *key;
	bool verified = public_key_parse(blob, &key) == KS_OK && key->certificate &&
			public_key_verify_certificate(
				key, blob, PERMIT_RSA_SHA1 | PERMIT_DSS, &facts) == KS_OK;

	public_key_free(&key);
	return verified;
}

/* What was signed can't be changed; the signature itself might be written in more than one way. */
static void check_change(
	const struct public_key *key, struct bytes blob, uint16_t where, uint8_t how)
{
	AUTO(buf) changed = {0};

	if (how == 0 || !verifies(blob))
		return;
	buf_put(&changed, blob);
	require(buf_status(&changed) == KS_OK);
	changed.data[where % key->certified_len] ^= how;
	require(!verifies(buf_bytes(&changed)));
}

static void check_host(const struct public_key *key, const char *name, uint64_t now)
{
	if (!public_key_certifies_host(key, name, now))
		return;
	require(key->certificate_type == CERTIFICATE_HOST && !key->critical_options);
	require(now >= key->valid_after && now < key->valid_before);
	require(key->principals.len > 0);
}

static void check_certificate(const struct public_key *key, struct bytes blob)
{
	struct public_key *authority;

	require(key->certified_len < blob.len);
	require(key->certificate_type == CERTIFICATE_USER ||
		key->certificate_type == CERTIFICATE_HOST);
	require(public_key_parse(buf_bytes(&key->signature_key), &authority) == KS_OK);
	require(!authority->certificate);
	public_key_free(&authority);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader in = reader_of(BYTES(data, len));
	struct bytes blob = reader_string(&in);
	AUTO(text) name = reader_text(&in, 255);
	uint64_t now = reader_u64(&in);
	uint16_t where = (uint16_t)(reader_u8(&in) << 8 | reader_u8(&in));
	uint8_t how = reader_u8(&in);
	struct public_key *key;

	if (public_key_parse(blob, &key) != KS_OK)
		return 0;
	if (key->certificate) {
		check_certificate(key, blob);
		check_change(key, blob, where, how);
	}
	if (name != NULL)
		check_host(key, name, now);
	require(key->certificate || name == NULL || !public_key_certifies_host(key, name, now));
	public_key_free(&key);
	return 0;
}
