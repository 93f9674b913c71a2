/*
 * Private keys in the form of OpenSSH's sshkey_private_serialize(): the type's name, for a
 * certificate its blob, and then what the kind needs besides. Whether the numbers belong
 * together is for the worker to find out, who computes with them.
 */
#include <string.h>

#include <keystile/composite.h>
#include <keystile/private_key.h>

#include "key_kind.h"

#define NUMBER_BYTES_MAX ((size_t)16384 / 8)
#define ED25519_PUBLIC_BYTES ((size_t)32)
#define ED25519_PRIVATE_BYTES ((size_t)64)

/* OpenSSH takes a text with one NUL at its end, and none with one before that. */
static struct bytes read_text(struct reader *in)
{
	struct bytes text = reader_string(in);

	if (text.len > 0 && text.data[text.len - 1] == '\0')
		text.len--;
	if (text.len > 0 && memchr(text.data, '\0', text.len)) {
		in->failed = true;
		return BYTES(NULL, 0);
	}
	return text;
}

static struct bytes read_exactly(struct reader *in, size_t len)
{
	struct bytes string = reader_string(in);

	if (string.len == len)
		return string;
	in->failed = true;
	return BYTES(NULL, 0);
}

static void read_numbers(struct reader *in, struct private_key *key, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		key->numbers[i] = reader_mpint(in, NUMBER_BYTES_MAX);
}

static void read_point(struct reader *in, struct private_key *key)
{
	const struct key_kind_facts *facts = key_kind_facts(key->kind);

	if (!bytes_equal_text(read_text(in), facts->curve))
		in->failed = true;
	key->point = read_exactly(in, 1 + 2 * facts->coordinate);
}

static void read_ed25519(struct reader *in, struct private_key *key)
{
	key->point = read_exactly(in, ED25519_PUBLIC_BYTES);
	key->scalar = read_exactly(in, ED25519_PRIVATE_BYTES);
}

/* A certificate does not repeat the public key here, as Ed25519's does. */
static void read_composite(struct reader *in, struct private_key *key)
{
	if (key->certificate.len == 0)
		key->point = read_exactly(in, COMPOSITE_PUBLIC);
	key->scalar = read_exactly(in, COMPOSITE_SECRET);
}

static void read_ecdsa(struct reader *in, struct private_key *key)
{
	if (key->certificate.len == 0)
		read_point(in, key);
	key->scalar = reader_mpint(in, key_kind_facts(key->kind)->coordinate);
}

/* A certificate of the one kind repeats the public key, of the other it does not. */
static void read_security_key(struct reader *in, struct private_key *key)
{
	if (key->kind == KEY_SK_ED25519)
		key->point = read_exactly(in, ED25519_PUBLIC_BYTES);
	else if (key->certificate.len == 0)
		read_point(in, key);
	key->application = read_text(in);
	key->sk_flags = reader_u8(in);
	key->key_handle = reader_string(in);
	reader_string(in); /* reserved */
}

static void read_fields(struct reader *in, struct private_key *key)
{
	switch (key->kind) {
	case KEY_ED25519:
		read_ed25519(in, key);
		return;
	case KEY_ECDSA_P256:
	case KEY_ECDSA_P384:
	case KEY_ECDSA_P521:
		read_ecdsa(in, key);
		return;
	case KEY_RSA:
		read_numbers(in, key, key->certificate.len > 0 ? 2 : 0, 6);
		return;
	case KEY_DSS:
		read_numbers(in, key, key->certificate.len > 0 ? 4 : 0, 5);
		return;
	case KEY_SK_ED25519:
	case KEY_SK_ECDSA_P256:
		read_security_key(in, key);
		return;
	case KEY_MLDSA44_ED25519:
	case KEY_MLDSA44_ED25519_EARLY:
		read_composite(in, key);
		return;
	case KEY_KIND_COUNT:
		in->failed = true;
	}
}

enum ks_error private_key_read(struct reader *reader, struct private_key *out)
{
	const uint8_t *start = reader->data;
	struct private_key key = {0};
	struct bytes name = read_text(reader);
	bool certificate;

	*out = key;
	if (reader->failed)
		return KS_BAD_INPUT;
	if (!key_kind_by_name(name, &key.kind, &certificate))
		return KS_UNSUPPORTED;
	if (certificate) {
		key.certificate = reader_string(reader);
		if (key.certificate.len == 0)
			reader->failed = true;
	}
	read_fields(reader, &key);
	if (reader->failed)
		return KS_BAD_INPUT;
	key.whole = BYTES(start, (size_t)(reader->data - start));
	*out = key;
	return KS_OK;
}

static void put_plain(const struct private_key *key, struct buf *blob)
{
	const struct key_kind_facts *facts = key_kind_facts(key->kind);

	if (key->kind == KEY_RSA) {
		public_key_put_rsa(blob, key->numbers[1], key->numbers[0]);
		return;
	}
	if (key->kind == KEY_DSS) {
		public_key_put_dss(blob, key->numbers);
		return;
	}
	buf_put_text(blob, facts->name);
	if (facts->curve)
		buf_put_text(blob, facts->curve);
	buf_put_string(blob, key->point);
	if (facts->security_key)
		buf_put_string(blob, key->application);
}

/* What public_key_parse() says of the blob, which must be of the kind that was announced. */
static enum ks_error check_public(const struct private_key *key, struct bytes blob)
{
	struct public_key *public;
	enum ks_error error = public_key_parse(blob, &public);

	if (error == KS_NO_MEMORY)
		return error;
	if (error == KS_OK &&
		(public->kind != key->kind || public->certificate != (key->certificate.len > 0)))
		error = KS_BAD_INPUT;
	public_key_free(&public);
	return error == KS_OK ? KS_OK : KS_BAD_INPUT;
}

enum ks_error private_key_put_public(const struct private_key *key, struct buf *blob)
{
	size_t start = blob->len;

	if (key->certificate.len > 0)
		buf_put(blob, key->certificate);
	else
		put_plain(key, blob);
	if (buf_status(blob) != KS_OK)
		return KS_NO_MEMORY;
	return check_public(key, BYTES(blob->data + start, blob->len - start));
}
