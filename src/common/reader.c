/*
 * The reader over borrowed bytes: takes RFC 4251's types from the front. It never
 * reads past the end, and after a first failure gives only zeroes and empty strings.
 */
#include <string.h>

#include <keystile/buffer.h>

struct reader reader_of(struct bytes bytes)
{
	return (struct reader){.data = bytes.data, .left = bytes.len};
}

struct bytes reader_raw(struct reader *reader, size_t len)
{
	struct bytes taken;

	if (reader->failed || len > reader->left) {
		reader->failed = true;
		return BYTES(NULL, 0);
	}
	taken = BYTES(reader->data, len);
	if (len > 0)
		reader->data += len;
	reader->left -= len;
	return taken;
}

static uint64_t reader_number(struct reader *reader, size_t size)
{
	struct bytes raw = reader_raw(reader, size);
	uint64_t value = 0;

	for (size_t i = 0; i < raw.len; i++)
		value = value << 8 | raw.data[i];
	return value;
}

uint8_t reader_u8(struct reader *reader)
{
	return (uint8_t)reader_number(reader, 1);
}

uint32_t reader_u32(struct reader *reader)
{
	return (uint32_t)reader_number(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
	return reader_number(reader, 8);
}

bool reader_bool(struct reader *reader)
{
	return reader_u8(reader) != 0;
}

struct bytes reader_string(struct reader *reader)
{
	return reader_raw(reader, reader_u32(reader));
}

struct bytes reader_mpint(struct reader *reader, size_t max_len)
{
	struct bytes number = reader_string(reader);

	if (number.len > 0 && (number.data[0] & 0x80)) {
		reader->failed = true;
		return BYTES(NULL, 0);
	}
	while (number.len > 0 && number.data[0] == 0)
		number = BYTES(number.data + 1, number.len - 1);
	if (number.len > max_len) {
		reader->failed = true;
		return BYTES(NULL, 0);
	}
	return number;
}

struct bytes reader_text_bytes(struct reader *reader)
{
	struct bytes string = reader_string(reader);

	if (string.len > 0 && string.data[string.len - 1] == '\0')
		string.len--;
	if (string.len > 0 && memchr(string.data, '\0', string.len)) {
		reader->failed = true;
		return BYTES(NULL, 0);
	}
	return string;
}

char *reader_text(struct reader *reader, size_t max_len)
{
	struct bytes string = reader_text_bytes(reader);
	char *text;

	if (reader->failed || string.len > max_len) {
		reader->failed = true;
		return NULL;
	}
	text = strndup(string.len > 0 ? (const char *)string.data : "", string.len);
	if (!text)
		reader->failed = true;
	return text;
}

enum ks_error reader_end(const struct reader *reader)
{
	return reader->failed || reader->left > 0 ? KS_BAD_INPUT : KS_OK;
}

enum ks_error reader_status(const struct reader *reader)
{
	return reader->failed ? KS_BAD_INPUT : KS_OK;
}
