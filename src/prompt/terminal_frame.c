/*
 * Every line begins with what it is: "|  " a line of the question, "|~ " the rest of the line
 * above, "|! " what went wrong before.
 */
#include "terminal_frame.h"

#include <string.h>

#define PREFIX_LEN 3

static size_t clamped(size_t columns)
{
	if (columns < FRAME_COLUMNS_MIN)
		return FRAME_COLUMNS_MIN;
	return columns > FRAME_COLUMNS_MAX ? FRAME_COLUMNS_MAX : columns;
}

static void put_rule(struct buf *out, const char *title, size_t columns)
{
	size_t used = 1;

	buf_put_u8(out, '+');
	if (*title != '\0') {
		buf_put(out, bytes_of("-- "));
		buf_put(out, bytes_of(title));
		buf_put_u8(out, ' ');
		used += strlen(title) + 4;
	}
	for (; used < columns; used++)
		buf_put_u8(out, '-');
	buf_put(out, bytes_of("\r\n"));
}

static void put_line(struct buf *out, const char *prefix, struct bytes line, size_t columns)
{
	size_t room = columns - PREFIX_LEN;

	do {
		size_t len = line.len < room ? line.len : room;

		buf_put(out, bytes_of(prefix));
		for (size_t i = 0; i < len; i++)
			buf_put_u8(out,
				line.data[i] >= ' ' && line.data[i] <= '~' ? line.data[i] : '?');
		buf_put(out, bytes_of("\r\n"));
		line = BYTES(line.data + len, line.len - len);
		prefix = "|~ ";
	} while (line.len > 0);
}

void terminal_frame(struct buf *out, const struct frame_text *what, size_t columns)
{
	const char *at = what->text;

	columns = clamped(columns);
	put_rule(out, what->title, columns);
	if (*what->trouble != '\0')
		put_line(out, "|! ", bytes_of(what->trouble), columns);
	while (*at != '\0') {
		size_t len = strcspn(at, "\n");

		put_line(out, "|  ", BYTES((const uint8_t *)at, len), columns);
		at += len + (at[len] == '\n');
	}
	put_rule(out, "", columns);
}
