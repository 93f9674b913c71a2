/*
 * OpenSSH certificates (PROTOCOL.certkeys): checks the structure and takes out the key
 * that is certified. What a certificate permits is for those who rely on it to judge.
 */
#include "public_key_certificate.h"

#include <keystile/text.h>

#include "key_kind.h"

#define PRINCIPALS_MAX 256 /* as in OpenSSH */
#define AUTHORITY_RSA_BITS_MAX 8192

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
		reader_text_bytes(&in);
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

/* What is kept of a certificate to judge by; the rest is looked at and left. */
struct fields {
	struct bytes principals, options, extensions, authority, signature;
};

static bool fields_well_formed(const struct fields *fields)
{
	return principals_well_formed(fields->principals) && options_well_formed(fields->options) &&
	       options_well_formed(fields->extensions) && signature_well_formed(fields->signature);
}

static enum ks_error keep(struct public_key *key, const struct fields *fields)
{
	key->critical_options = fields->options.len > 0;
	buf_put(&key->signature_key, fields->authority);
	if (key->certificate_type == CERTIFICATE_HOST)
		buf_put(&key->principals, fields->principals);
	if (buf_status(&key->plain) != KS_OK || buf_status(&key->signature_key) != KS_OK ||
		buf_status(&key->principals) != KS_OK)
		return KS_NO_MEMORY;
	return KS_OK;
}

enum ks_error certificate_read(struct reader *in, struct bytes blob, struct public_key *key)
{
	struct fields fields;
	enum ks_error error;

	reader_string(in); /* nonce */
	read_certified_key(in, key);
	reader_u64(in); /* serial */
	key->certificate_type = reader_u32(in);
	reader_text_bytes(in); /* key id */
	fields.principals = reader_string(in);
	key->valid_after = reader_u64(in);
	key->valid_before = reader_u64(in);
	fields.options = reader_string(in);
	fields.extensions = reader_string(in);
	reader_string(in); /* reserved */
	fields.authority = reader_string(in);
	key->certified_len = blob.len - in->left;
	fields.signature = reader_string(in);
	if (reader_end(in) != KS_OK || !fields_well_formed(&fields))
		return KS_BAD_INPUT;
	if (key->certificate_type != CERTIFICATE_USER && key->certificate_type != CERTIFICATE_HOST)
		return KS_BAD_INPUT;
	error = keep(key, &fields);
	return error == KS_OK ? check_signature_key(fields.authority) : error;
}

enum ks_error public_key_verify_certificate(const struct public_key *certificate, struct bytes blob,
	unsigned permitted, struct signature_facts *facts)
{
	struct reader in = reader_of(blob);
	struct bytes certified = reader_raw(&in, certificate->certified_len);
	struct bytes signature = reader_string(&in);
	struct public_key *authority;
	enum ks_error error = public_key_parse(buf_bytes(&certificate->signature_key), &authority);

	if (error == KS_OK && authority->kind == KEY_RSA &&
		public_key_bits(authority) > AUTHORITY_RSA_BITS_MAX)
		error = KS_UNSUPPORTED;
	if (error == KS_OK)
		error = public_key_verify(authority, signature, certified, permitted, facts);
	public_key_free(&authority);
	return error;
}

static bool any_principal_matches(struct bytes principals, const char *name)
{
	struct reader in = reader_of(principals);
	bool matched = false;

	/* Not copied: a list of keys asks for every key, and of every bind. */
	while (in.left > 0 && !in.failed && !matched) {
		struct bytes pattern = reader_text_bytes(&in);

		matched = !in.failed && text_match_bytes(name, pattern);
	}
	return matched;
}

bool public_key_certifies_host(const struct public_key *certificate, const char *name, uint64_t now)
{
	return certificate->certificate && certificate->certificate_type == CERTIFICATE_HOST &&
	       now >= certificate->valid_after && now < certificate->valid_before &&
	       !certificate->critical_options &&
	       any_principal_matches(buf_bytes(&certificate->principals), name);
}
