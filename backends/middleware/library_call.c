/*
 * Both ends of a request, field by field. Texts go with their NUL, to be used where they lie.
 */
#include "library_call.h"

#include <string.h>

static void put_text(struct buf *out, const char *text)
{
	buf_put_string(out, BYTES((const uint8_t *)text, strlen(text) + 1));
}

void library_call_encode(const struct library_call *call, struct buf *out)
{
	buf_put_u32(out, LIBRARY_CALL_VERSION);
	buf_put_u32(out, call->worker);
	buf_put_u8(out, (uint8_t)call->kind);
	put_text(out, call->path);
	buf_put_string(out, call->grants);
	if (call->kind != LIBRARY_SIGN)
		return;
	buf_put_u32(out, call->algorithm);
	put_text(out, call->application);
	buf_put_u8(out, call->flags);
	buf_put_bool(out, call->with_pin);
	buf_put_string(out, call->data);
}

/* Never NULL; its one NUL is its last byte. */
static const char *read_text(struct reader *in)
{
	struct bytes text = reader_string(in);

	if (text.len > 0 && memchr(text.data, '\0', text.len) == text.data + text.len - 1)
		return (const char *)text.data;
	in->failed = true;
	return "";
}

static void read_signature(struct reader *in, struct library_call *out)
{
	out->algorithm = reader_u32(in);
	out->application = read_text(in);
	out->flags = reader_u8(in);
	out->with_pin = reader_bool(in);
	out->data = reader_string(in);
}

enum ks_error library_call_decode(struct bytes bytes, struct library_call *out)
{
	struct reader in = reader_of(bytes);
	uint32_t version = reader_u32(&in);

	*out = (struct library_call){0};
	if (!in.failed && version != LIBRARY_CALL_VERSION)
		return KS_UNSUPPORTED;
	out->worker = reader_u32(&in);
	out->kind = reader_u8(&in);
	out->path = read_text(&in);
	out->grants = reader_string(&in);
	if (out->kind == LIBRARY_SIGN)
		read_signature(&in, out);
	else if (out->kind != LIBRARY_CHECK)
		return KS_BAD_INPUT;
	return reader_end(&in);
}
