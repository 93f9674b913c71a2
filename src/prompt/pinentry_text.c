/*
 * Pages, pieces and escapes for a pinentry.
 */
#include "pinentry_text.h"

#include <string.h>

/* Characters that fit into a window of GTK's usual width, however wide they are. */
#define PIECE_MAX 30

/* Of what text_quote() made of one byte; in pieces it stays together. */
static size_t quoted_len(struct bytes text)
{
	size_t len = 1;

	if (text.data[0] == '\\')
		len = text.len > 1 && text.data[1] == 'x' ? 4 : 2;
	return len < text.len ? len : text.len;
}

static void put_pieces(struct buf *out, struct bytes quoted)
{
	size_t room = PIECE_MAX;

	while (quoted.len > 0) {
		size_t len = quoted_len(quoted);

		if (len > room) {
			buf_put(out, bytes_of("\"\n    + \""));
			room = PIECE_MAX;
		}
		buf_put(out, BYTES(quoted.data, len));
		quoted = BYTES(quoted.data + len, quoted.len - len);
		room -= len;
	}
}

/* What is between the first quote and the last one, which may be none. */
static struct bytes find_quoted(struct bytes line)
{
	const uint8_t *first = memchr(line.data, '"', line.len);
	const uint8_t *last = memrchr(line.data, '"', line.len);

	if (first == NULL || first == last)
		return (struct bytes){0};
	return BYTES(first + 1, (size_t)(last - first - 1));
}

static void put_line(struct buf *out, struct bytes line)
{
	struct bytes quoted = find_quoted(line);
	size_t before;

	if (quoted.len <= PIECE_MAX || memchr(quoted.data, ' ', quoted.len) == NULL) {
		buf_put(out, line);
		return;
	}
	before = (size_t)(quoted.data - line.data);
	buf_put(out, BYTES(line.data, before));
	put_pieces(out, quoted);
	buf_put(out, BYTES(quoted.data + quoted.len, line.len - before - quoted.len));
}

void pinentry_break_quotes(struct buf *out, struct bytes text)
{
	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) + 1 : text.len;

		put_line(out, BYTES(text.data, len));
		text = BYTES(text.data + len, text.len - len);
	}
}

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
