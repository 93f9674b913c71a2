/*
 * OpenSSH certificates (PROTOCOL.certkeys): checks the structure and takes out the key
 * that is certified. What a certificate permits is for those who rely on it to judge.
 */
#include "public_key_certificate.h"
#include "key_kind.h"

#define CERTIFICATE_USER 1
#define CERTIFICATE_HOST 2
#define PRINCIPALS_MAX 256 /* as in OpenSSH */

/* The strings of the key stand in a row, as in its plain blob. */
static void read_certified_key(struct reader *in, struct public_key *key)
{
	const struct key_kind_facts *facts = key_kind_facts(key->kind);
	const uint8_t *start = in->data;

	for (unsigned i = 0; i < facts->strings; i++)
		reader_string(in);
	if (in->failed)
		return;
	buf_put_text(&key->plain, facts->name);
	buf_put(&key->plain, BYTES(start, (size_t)(in->data - start)));
}

static bool principals_well_formed(struct bytes principals)
{
	struct reader in = reader_of(principals);
	unsigned count = 0;

	for (; in.left > 0 && !in.failed; count++)
		reader_string(&in);
	return !in.failed && count <= PRINCIPALS_MAX;
}

/* Critical options and extensions: pairs of a name and data. */
static bool options_well_formed(struct bytes options)
{
	struct reader in = reader_of(options);

	while (in.left > 0 && !in.failed) {
		if (reader_string(&in).len == 0)
			in.failed = true;
		reader_string(&in);
	}
	return !in.failed;
}

/* A plain key: certificates do not chain, and so nothing here recurses further. */
static enum ks_error check_signature_key(struct bytes blob)
{
	struct reader in = reader_of(blob);
	struct bytes name = reader_string(&in);
	struct public_key *authority;
	enum key_kind kind;
	bool certificate;
	enum ks_error error;

	if (!key_kind_by_name(name, &kind, &certificate) || certificate)
		return KS_BAD_INPUT;
	error = public_key_parse(blob, &authority);
	public_key_free(&authority);
	return error;
}

static bool signature_well_formed(struct bytes signature)
{
	struct reader in = reader_of(signature);
	struct bytes algorithm = reader_string(&in);
	struct bytes inner = reader_string(&in);

	return algorithm.len > 0 && inner.len > 0; /* flags and counter of a security key follow */
}

enum ks_error certificate_read(struct reader *in, struct public_key *key)
{
	struct bytes principals, options, extensions, authority, signature;

	reader_string(in); /* nonce */
	read_certified_key(in, key);
	reader_u64(in); /* serial */
	key->certificate_type = reader_u32(in);
	reader_string(in); /* key id */
	principals = reader_string(in);
	reader_u64(in); /* valid after */
	reader_u64(in); /* valid before */
	options = reader_string(in);
	extensions = reader_string(in);
	reader_string(in); /* reserved */
	authority = reader_string(in);
	signature = reader_string(in);
	if (reader_end(in) != KS_OK || !principals_well_formed(principals) ||
		!options_well_formed(options) || !options_well_formed(extensions) ||
		!signature_well_formed(signature))
		return KS_BAD_INPUT;
	if (key->certificate_type != CERTIFICATE_USER && key->certificate_type != CERTIFICATE_HOST)
		return KS_BAD_INPUT;
	buf_put(&key->signature_key, authority);
	if (buf_status(&key->plain) != KS_OK || buf_status(&key->signature_key) != KS_OK)
		return KS_NO_MEMORY;
	return check_signature_key(authority);
}
