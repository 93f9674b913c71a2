/*
 * The bounded buffer that owns its bytes. Memory is never given back unwiped, so
 * growing allocates anew, copies, wipes and frees: realloc() would leave copies behind.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/buffer.h>

#define BUF_SMALLEST ((size_t)64)

struct bytes bytes_of(const char *text)
{
	if (!text)
		return BYTES(NULL, 0);
	return BYTES((const uint8_t *)text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_equal_text(struct bytes a, const char *text)
{
	return bytes_equal(a, bytes_of(text));
}

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_deinit(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->cap);
	free(buf->data);
	*buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->cap);
	buf->len = 0;
	buf->failed = false;
}

void buf_consume(struct buf *buf, size_t len)
{
	if (len > buf->len)
		len = buf->len;
	if (len == 0)
		return;
	memmove(buf->data, buf->data + len, buf->len - len);
	buf->len -= len;
	explicit_bzero(buf->data + buf->len, len);
}

static size_t buf_limit(const struct buf *buf)
{
	return buf->max ? buf->max : BUF_MAX_DEFAULT;
}

static bool buf_grow(struct buf *buf, size_t needed)
{
	size_t limit = buf_limit(buf);
	size_t cap = buf->cap < limit / 2 ? buf->cap * 2 : limit;
	uint8_t *data;

	if (cap < needed)
		cap = needed;
	if (cap < BUF_SMALLEST && BUF_SMALLEST <= limit)
		cap = BUF_SMALLEST;
	data = malloc(cap);
	if (!data)
		return false;
	if (buf->data) {
		memcpy(data, buf->data, buf->len);
		explicit_bzero(buf->data, buf->cap);
		free(buf->data);
	}
	buf->data = data;
	buf->cap = cap;
	return true;
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
	if (buf->failed)
		return NULL;
	if (buf->len > buf_limit(buf) || len > buf_limit(buf) - buf->len) {
		buf->failed = true;
		return NULL;
	}
	if ((len > buf->cap - buf->len || !buf->data) && !buf_grow(buf, buf->len + len)) {
		buf->failed = true;
		return NULL;
	}
	return buf->data + buf->len;
}

struct bytes buf_bytes(const struct buf *buf)
{
	return BYTES(buf->data, buf->len);
}

void buf_put(struct buf *buf, struct bytes bytes)
{
	uint8_t *room = buf_reserve(buf, bytes.len);

	if (!room || bytes.len == 0)
		return;
	memcpy(room, bytes.data, bytes.len);
	buf->len += bytes.len;
}

/* The lowest `size` bytes of value, highest first. */
static void buf_put_number(struct buf *buf, uint64_t value, size_t size)
{
	uint8_t *room = buf_reserve(buf, size);

	if (!room)
		return;
	for (size_t i = 0; i < size; i++)
		room[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
	buf->len += size;
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
	buf_put_number(buf, value, 1);
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
	buf_put_number(buf, value, 4);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
	buf_put_number(buf, value, 8);
}

void buf_put_bool(struct buf *buf, bool value)
{
	buf_put_u8(buf, value ? 1 : 0);
}

void buf_put_string(struct buf *buf, struct bytes string)
{
	if (string.len > UINT32_MAX) {
		buf->failed = true;
		return;
	}
	buf_put_u32(buf, (uint32_t)string.len);
	buf_put(buf, string);
}

void buf_put_text(struct buf *buf, const char *text)
{
	buf_put_string(buf, bytes_of(text));
}

void buf_put_mpint(struct buf *buf, struct bytes magnitude)
{
	size_t opened = buf_open_string(buf);

	while (magnitude.len > 0 && magnitude.data[0] == 0)
		magnitude = BYTES(magnitude.data + 1, magnitude.len - 1);
	if (magnitude.len > 0 && (magnitude.data[0] & 0x80))
		buf_put_u8(buf, 0); /* or it would read as negative */
	buf_put(buf, magnitude);
	buf_close_string(buf, opened);
}

size_t buf_open_string(struct buf *buf)
{
	size_t opened = buf->len;

	buf_put_u32(buf, 0);
	return opened;
}

void buf_close_string(struct buf *buf, size_t opened)
{
	size_t len;

	if (buf->failed)
		return;
	if (buf->len < 4 || opened > buf->len - 4 || buf->len - 4 - opened > UINT32_MAX) {
		buf->failed = true;
		return;
	}
	len = buf->len - 4 - opened;
	for (size_t i = 0; i < 4; i++)
		buf->data[opened + i] = (uint8_t)(len >> (8 * (3 - i)));
}

enum ks_error buf_status(const struct buf *buf)
{
	return buf->failed ? KS_NO_MEMORY : KS_OK;
}
