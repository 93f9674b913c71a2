/*
 * Escaping, wrapping and colouring.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "page.h"

#define COLUMNS 80
#define COLUMNS_MIN 40

static const char *const styles[] = {
	[PAGE_PLAIN] = "",
	[PAGE_STRONG] = "\033[1m",
	[PAGE_WARNING] = "\033[33m",
	[PAGE_BAD] = "\033[31m",
};

/* Longer lines than that are hard to read, and much shorter ones can't be filled. */
static int columns_of(FILE *out)
{
	struct winsize window;

	if (ioctl(fileno(out), TIOCGWINSZ, &window) != 0 || window.ws_col == 0 ||
		window.ws_col > COLUMNS)
		return COLUMNS;
	return window.ws_col < COLUMNS_MIN ? COLUMNS_MIN : window.ws_col;
}

struct page page_of(FILE *out)
{
	const char *unwanted = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return (struct page){
		.out = out,
		.columns = columns_of(out),
		.colour = isatty(fileno(out)) == 1 && (unwanted == NULL || unwanted[0] == '\0') &&
			  terminal != NULL && strcmp(terminal, "dumb") != 0,
	};
}

char *page_escape(const char *text, bool keep_lines)
{
	static const char digits[] = "0123456789abcdef";
	char *escaped = malloc(4 * strlen(text) + 1);
	char *at = escaped;

	if (escaped == NULL)
		return NULL;
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if ((byte >= 0x20 && byte < 0x7f) || (byte == '\n' && keep_lines)) {
			*at++ = (char)byte;
		} else {
			*at++ = '\\';
			*at++ = 'x';
			*at++ = digits[byte >> 4];
			*at++ = digits[byte & 15];
		}
	}
	*at = '\0';
	return escaped;
}

static void begin(struct page *page, enum page_style style)
{
	if (page->colour)
		fputs(styles[style], page->out);
}

static void end(struct page *page, enum page_style style)
{
	if (page->colour && style != PAGE_PLAIN)
		fputs("\033[0m", page->out);
}

void page_heading(struct page *page, const char *words)
{
	fputc('\n', page->out);
	begin(page, PAGE_STRONG);
	fputs(words, page->out);
	end(page, PAGE_STRONG);
	fputc('\n', page->out);
}

/* How much of text goes on a line of that width: up to the last blank, or one whole word. */
static size_t line_length(const char *text, size_t width)
{
	size_t len = strlen(text);
	size_t blank = 0;

	if (len <= width)
		return len;
	for (size_t i = 0; i <= width; i++) {
		if (text[i] == ' ')
			blank = i;
	}
	return blank > 0 ? blank : strcspn(text, " ");
}

static void wrap(struct page *page, const char *text, int indent, int hang)
{
	while (*text != '\0') {
		size_t len = line_length(text, (size_t)(page->columns - indent));

		fprintf(page->out, "%*s%.*s\n", indent, "", (int)len, text);
		text += len;
		text += strspn(text, " ");
		indent = hang;
	}
}

void page_text(
	struct page *page, enum page_style style, int indent, int hang, const char *format, ...)
{
	AUTO(text)
	words = NULL;
	va_list arguments;

	va_start(arguments, format);
	words = text_format_list(format, arguments);
	va_end(arguments);

	AUTO(text)
	safe = words != NULL ? page_escape(words, false) : NULL;

	begin(page, style);
	wrap(page, safe != NULL ? safe : "(out of memory)", indent, hang);
	end(page, style);
}
