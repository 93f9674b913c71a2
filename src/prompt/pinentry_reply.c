/*
 * The Assuan protocol's answers, as far as a pinentry gives them.
 */
#include "pinentry_reply.h"

#include <string.h>

/* GPG_ERR_TIMEOUT, _CANCELED and _FULLY_CANCELED of libgpg-error, without the source that stands in
 * the upper bits of what a pinentry sends. */
static const uint32_t refusals[] = {62, 99, 198};

#define NOT_CONFIRMED 114 /* GPG_ERR_NOT_CONFIRMED */

#define ERROR_CODE_MASK 0xffffU
#define ERROR_DIGITS_MAX 10

/* Whether the line is this word, alone or before a space; *rest is what follows. */
static bool begins_with(struct bytes line, const char *word, struct bytes *rest)
{
	size_t len = strlen(word);

	if (line.len < len || memcmp(line.data, word, len) != 0)
		return false;
	*rest = BYTES(line.data + len, line.len - len);
	if (rest->len == 0)
		return true;
	if (rest->data[0] != ' ')
		return false;
	*rest = BYTES(rest->data + 1, rest->len - 1);
	return true;
}

static enum pinentry_reply error_reply(struct bytes rest)
{
	uint64_t number = 0;
	size_t digits = 0;

	while (digits < rest.len && rest.data[digits] >= '0' && rest.data[digits] <= '9' &&
		digits < ERROR_DIGITS_MAX)
		number = number * 10 + (uint64_t)(rest.data[digits++] - '0');
	if (digits == 0 || (digits < rest.len && rest.data[digits] != ' ') ||
		(number & ERROR_CODE_MASK) == 0)
		return REPLY_NONSENSE;
	if ((number & ERROR_CODE_MASK) == NOT_CONFIRMED)
		return REPLY_NOT_OK;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if ((number & ERROR_CODE_MASK) == refusals[i])
			return REPLY_NO;
	return REPLY_ERROR;
}

enum pinentry_reply pinentry_reply_of(struct bytes line)
{
	struct bytes rest;

	if (line.len > 0 && line.data[0] == '#')
		return REPLY_REMARK;
	if (line.len > 0 && memchr(line.data, '\0', line.len) != NULL)
		return REPLY_NONSENSE;
	if (begins_with(line, "OK", &rest))
		return REPLY_OK;
	if (line.len >= 2 && line.data[0] == 'D' && line.data[1] == ' ')
		return REPLY_DATA;
	if (begins_with(line, "ERR", &rest))
		return error_reply(rest);
	if (!begins_with(line, "S", &rest))
		return REPLY_NONSENSE;
	return begins_with(rest, "PASSWORD_FROM_CACHE", &rest) ? REPLY_CACHED : REPLY_REMARK;
}

bool pinentry_tells_three(struct bytes flavour)
{
	static const char *const known[] = {"curses", "gtk2", "gtk2:curses", "qt", "qt:curses"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (bytes_equal_text(flavour, known[i]))
			return true;
	return false;
}

static int hex_value(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

bool pinentry_data(struct bytes line, struct secret *out)
{
	for (size_t i = 2; i < line.len; i++) {
		int byte = line.data[i];

		if (byte == '%') {
			int high = i + 2 < line.len ? hex_value(line.data[i + 1]) : -1;
			int low = i + 2 < line.len ? hex_value(line.data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			byte = high << 4 | low;
			i += 2;
		}
		/* A PIN is one line, whose end only we put there. */
		if (out->len == out->cap || byte == '\0' || byte == '\n' || byte == '\r')
			return false;
		out->data[out->len++] = (uint8_t)byte;
	}
	return true;
}
