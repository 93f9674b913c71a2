/*
 * Text for a person on a terminal or into a file: headings, fields that wrap, colour
 * where it is wanted. Everything that is printed as a value is escaped here, wherever it came from.
 */
#ifndef KEYSTILE_CTL_PAGE_H
#define KEYSTILE_CTL_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include <keystile/error.h>

struct page {
	FILE *out;
	int columns; /* 80, or fewer where the terminal has fewer */
	bool colour;
};

enum page_style { PAGE_PLAIN, PAGE_STRONG, PAGE_WARNING, PAGE_BAD };

/* Colour on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb. */
struct page page_of(FILE *out);

/* Everything but printable ASCII as \xHH, line ends too unless they are kept; the caller frees it.
 */
char *page_escape(const char *text, bool keep_lines);

/* A blank line and the heading of a part. */
void page_heading(struct page *page, const char *words);

/*
 * The text (printf) from column indent on, wrapped at blanks; lines after the first begin at column
 * hang. What is foreign in it may be as it came.
 */
void page_text(struct page *page, enum page_style style, int indent, int hang, const char *format,
	...) KS_PRINTF(5, 6);

#endif
