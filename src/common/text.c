/*
 * Foreign text made fit to be shown, patterns as OpenSSH matches them, and the
 * few other things that are done with text in more than one program.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <keystile/text.h>

#define QUOTED_CHARACTERS 64
#define WORDS_CHARACTERS 240
#define LIST_PATTERN_MAX 1023 /* match_pattern_list() gives up at this length */

static const char hex_digits[] = "0123456789abcdef";

static char *quote_character(uint8_t character, char *at)
{
	if (character == '"' || character == '\\') {
		*at++ = '\\';
		*at++ = (char)character;
	} else if (character >= 0x20 && character < 0x7f) {
		*at++ = (char)character;
	} else {
		*at++ = '\\';
		*at++ = 'x';
		*at++ = hex_digits[character >> 4];
		*at++ = hex_digits[character & 15];
	}
	return at;
}

static const char *quote(struct bytes text, size_t characters, char *out)
{
	char *at = out;

	*at++ = '"';
	for (size_t i = 0; i < text.len && i < characters; i++)
		at = quote_character(text.data[i], at);
	*at++ = '"';
	/* Behind the closing quote, where the text itself can't put it. */
	snprintf(at, sizeof("..."), "%s", text.len > characters ? "..." : "");
	return out;
}

const char *text_quote(struct bytes text, char out[static TEXT_QUOTED_MAX])
{
	return quote(text, QUOTED_CHARACTERS, out);
}

const char *text_quote_words(struct bytes text, char out[static TEXT_WORDS_MAX])
{
	return quote(text, WORDS_CHARACTERS, out);
}

/*
 * Goes back to the last * only, which is enough: what an earlier one could take, the later
 * one can take as well. So the work is bounded by the product of both lengths.
 */
static bool match_span(const char *text, const char *pattern, size_t pattern_len)
{
	size_t at = 0, star = SIZE_MAX;
	const char *star_text = text;

	while (*text) {
		if (at < pattern_len && pattern[at] == '*') {
			star = at++;
			star_text = text;
		} else if (at < pattern_len && (pattern[at] == '?' || pattern[at] == *text)) {
			at++;
			text++;
		} else if (star != SIZE_MAX) {
			at = star + 1;
			text = ++star_text;
		} else {
			return false;
		}
	}
	while (at < pattern_len && pattern[at] == '*')
		at++;
	return at == pattern_len;
}

bool text_match(const char *text, const char *pattern)
{
	return match_span(text, pattern, strlen(pattern));
}

bool text_match_bytes(const char *text, struct bytes pattern)
{
	return match_span(text, (const char *)pattern.data, pattern.len);
}

int text_match_list(const char *text, const char *patterns)
{
	int matched = 0;

	while (*patterns) {
		bool negated = *patterns == '!';
		size_t len;

		patterns += negated ? 1 : 0;
		len = strcspn(patterns, ",");
		if (len >= LIST_PATTERN_MAX)
			return 0;
		if (match_span(text, patterns, len)) {
			if (negated)
				return -1;
			matched = 1;
		}
		patterns += len;
		patterns += *patterns == ',' ? 1 : 0;
	}
	return matched;
}

void text_hex(struct bytes bytes, char *out)
{
	for (size_t i = 0; i < bytes.len; i++) {
		*out++ = hex_digits[bytes.data[i] >> 4];
		*out++ = hex_digits[bytes.data[i] & 15];
	}
	*out = '\0';
}

char *text_format_list(const char *format, va_list arguments)
{
	char *text;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

char *text_format(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = text_format_list(format, arguments);
	va_end(arguments);
	return text;
}

static long seconds_in_unit(char unit)
{
	switch (unit) {
	case '\0':
	case 's':
	case 'S':
		return 1;
	case 'm':
	case 'M':
		return 60;
	case 'h':
	case 'H':
		return 60 * 60;
	case 'd':
	case 'D':
		return 24 * 60 * 60;
	case 'w':
	case 'W':
		return 7 * 24 * 60 * 60;
	default:
		return -1;
	}
}

/* One number with its unit, -1 where malformed or too large; *text moves behind it. */
static long seconds_part(const char **text)
{
	const char *at = *text;
	long number = 0, unit;

	/* OpenSSH reads numbers with strtol(). */
	at += strspn(at, " \t\n\v\f\r");
	at += *at == '+';
	if (*at < '0' || *at > '9')
		return -1;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (number > INT_MAX / 10)
			return -1;
		number = number * 10 + (*at - '0');
	}
	unit = seconds_in_unit(*at);
	if (unit < 0 || number > INT_MAX / unit)
		return -1;
	*text = *at ? at + 1 : at;
	return number * unit;
}

long text_seconds(const char *text)
{
	long total = 0;

	if (!text || !*text)
		return -1;
	while (*text) {
		long part = seconds_part(&text);

		if (part < 0 || total > INT_MAX - part)
			return -1;
		total += part;
	}
	return total;
}
