/*
 * Text that goes where it can't be quoted, such as names of keys that ssh-add prints as they are:
 * kept, but for what moves a terminal or has a person read something else.
 */
#include <stdint.h>

#include <keystile/text.h>

#define NO_CODE_POINT UINT32_MAX

static size_t length_of(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if ((first & 0xe0) == 0xc0)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return (first & 0xf8) == 0xf0 ? 4 : 0;
}

/* The first one, and how many bytes it takes; what is no UTF-8 takes one. */
static uint32_t code_point(const uint8_t *text, size_t *len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t bytes = length_of(text[0]);
	uint32_t point = bytes <= 1 ? text[0] : text[0] & (0x7fU >> bytes);

	*len = 1;
	if (bytes == 0)
		return NO_CODE_POINT;
	/* The NUL at the end continues nothing. */
	for (size_t i = 1; i < bytes; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return NO_CODE_POINT;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < least[bytes] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return NO_CODE_POINT;
	*len = bytes;
	return point;
}

static bool is_between(uint32_t point, uint32_t first, uint32_t last)
{
	return point >= first && point <= last;
}

/* Controls of both kinds, lines, and those that change the direction of what follows. */
static bool is_plain(uint32_t point)
{
	return point != NO_CODE_POINT && point >= ' ' && !is_between(point, 0x7f, 0x9f) &&
	       point != 0x61c && !is_between(point, 0x200e, 0x200f) &&
	       !is_between(point, 0x2028, 0x202e) && !is_between(point, 0x2066, 0x2069);
}

void text_make_plain(char *text)
{
	char *to = text;

	while (*text != '\0') {
		size_t len;
		bool plain = is_plain(code_point((const uint8_t *)text, &len));

		if (!plain)
			*to++ = '?';
		for (size_t i = 0; plain && i < len; i++)
			*to++ = text[i];
		text += len;
	}
	*to = '\0';
}
