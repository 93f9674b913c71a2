/*
 * See known_hosts_line.h. What ssh would not understand counts as malformed here too, so that
 * nothing is named which ssh does not know.
 */
#include "known_hosts_line.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define HASH_MAGIC "|1|"
#define HASH_LEN 20 /* SHA-1; the salt is as long */
#define HASH_BASE64 28

/* The next field up to a blank, and the blanks behind it. */
static struct bytes next_field(struct bytes *text)
{
	struct bytes field = *text;
	size_t at = 0;

	while (at < text->len && text->data[at] != ' ' && text->data[at] != '\t')
		at++;
	field.len = at;
	while (at < text->len && (text->data[at] == ' ' || text->data[at] == '\t'))
		at++;
	*text = BYTES(text->data + at, text->len - at);
	return field;
}

static bool blank(uint8_t character)
{
	return character == ' ' || character == '\t' || character == '\r';
}

static struct bytes trimmed(struct bytes text)
{
	while (text.len > 0 && blank(text.data[text.len - 1]))
		text.len--;
	while (text.len > 0 && blank(text.data[0]))
		text = BYTES(text.data + 1, text.len - 1);
	return text;
}

static bool take_marker(struct bytes *rest, enum known_hosts_marker *marker)
{
	struct bytes word;

	*marker = KNOWN_HOSTS_PLAIN;
	if (rest->data[0] != '@')
		return true;
	word = next_field(rest);
	if (bytes_equal_text(word, "@cert-authority"))
		*marker = KNOWN_HOSTS_AUTHORITY;
	else if (bytes_equal_text(word, "@revoked"))
		*marker = KNOWN_HOSTS_REVOKED;
	else
		return false;
	return true;
}

/* Appends; false where it is no base64. */
static bool put_base64(struct buf *out, struct bytes text)
{
	uint8_t *room =
		text.len % 4 == 0 && text.len > 0 ? buf_reserve(out, text.len / 4 * 3) : NULL;
	int got = room == NULL ? -1 : EVP_DecodeBlock(room, text.data, (int)text.len);

	if (got < 0)
		return false;
	out->len += (size_t)got;
	for (size_t i = 1; i <= 2 && text.data[text.len - i] == '='; i++)
		out->len--;
	return true;
}

/* The blob has to begin with the type that stands before it. */
static bool take_key(struct bytes *rest, struct buf *key)
{
	struct bytes type = next_field(rest);
	struct bytes base64 = next_field(rest);
	struct reader reader;

	buf_clear(key);
	if (!put_base64(key, base64))
		return false;
	reader = reader_of(buf_bytes(key));
	return bytes_equal(reader_string(&reader), type) && type.len > 0 && reader.left > 0;
}

struct hash {
	uint8_t salt[HASH_LEN];
	uint8_t mac[HASH_LEN];
};

static bool decode_hash_part(const uint8_t *base64, uint8_t out[static HASH_LEN])
{
	uint8_t room[HASH_BASE64 / 4 * 3];

	if (base64[HASH_BASE64 - 1] != '=' || base64[HASH_BASE64 - 2] == '=' ||
		EVP_DecodeBlock(room, base64, HASH_BASE64) != (int)sizeof(room))
		return false;
	memcpy(out, room, HASH_LEN);
	return true;
}

static bool hash_parse(struct bytes text, struct hash *hash)
{
	const size_t magic_len = strlen(HASH_MAGIC);
	const uint8_t *salt = text.data + magic_len;

	return text.len == magic_len + 2 * HASH_BASE64 + 1 && salt[HASH_BASE64] == '|' &&
	       memcmp(text.data, HASH_MAGIC, magic_len) == 0 &&
	       decode_hash_part(salt, hash->salt) &&
	       decode_hash_part(salt + HASH_BASE64 + 1, hash->mac);
}

static bool take_patterns(struct bytes *rest, struct known_hosts_line *line)
{
	struct hash hash;

	line->patterns = next_field(rest);
	line->hashed = line->patterns.len > 0 && line->patterns.data[0] == '|';
	return line->patterns.len > 0 && (!line->hashed || hash_parse(line->patterns, &hash));
}

enum known_hosts_line_kind known_hosts_line_parse(struct bytes text, struct known_hosts_line *line)
{
	struct bytes rest = trimmed(text);

	if (rest.len == 0 || rest.data[0] == '#')
		return KNOWN_HOSTS_EMPTY;
	if (text.len > KNOWN_HOSTS_LINE_MAX || memchr(rest.data, '\0', rest.len) != NULL)
		return KNOWN_HOSTS_MALFORMED;
	return take_marker(&rest, &line->marker) && take_patterns(&rest, line) &&
			       take_key(&rest, &line->key)
		       ? KNOWN_HOSTS_ENTRY
		       : KNOWN_HOSTS_MALFORMED;
}

bool known_hosts_hash_is_of(struct bytes hashed, struct bytes name)
{
	struct hash hash;
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	return hash_parse(hashed, &hash) &&
	       HMAC(EVP_sha1(), hash.salt, HASH_LEN, name.data, name.len, mac, &len) != NULL &&
	       len == HASH_LEN && memcmp(mac, hash.mac, HASH_LEN) == 0;
}
