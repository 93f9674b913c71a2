/*
 * Pages and escapes for a pinentry.
 */
#include "pinentry_text.h"

static size_t escaped_len(uint8_t byte)
{
	return byte == '%' || byte == '\n' ? 3 : 1;
}

struct bytes pinentry_page(struct bytes *rest, size_t max_lines)
{
	size_t room = PINENTRY_PAGE_MAX, lines = 0, end = 0, whole = 0;

	while (end < rest->len && lines < max_lines && escaped_len(rest->data[end]) <= room) {
		room -= escaped_len(rest->data[end]);
		if (rest->data[end++] == '\n') {
			whole = end;
			lines++;
		}
	}
	if (whole > 0 && end < rest->len)
		end = whole;

	struct bytes page = BYTES(rest->data, end);

	if (end > 0) {
		*rest = BYTES(rest->data + end, rest->len - end);
		if (page.data[end - 1] == '\n')
			page.len--;
	}
	return page;
}

void pinentry_escape(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];

		if (byte == '\n')
			buf_put(out, bytes_of("%0A"));
		else if (byte == '%')
			buf_put(out, bytes_of("%25"));
		else
			buf_put_u8(out, byte >= ' ' && byte <= '~' ? byte : '?');
	}
}
