/*
 * Text on its way to a pinentry: a command is one line of at most 1000 bytes, so a long question
 * is shown in pages, never cut.
 */
#ifndef KEYSTILE_PROMPT_PINENTRY_TEXT_H
#define KEYSTILE_PROMPT_PINENTRY_TEXT_H

#include <keystile/buffer.h>

/* Escaped bytes of one command's text; room for the command and the number of the page is left. */
#define PINENTRY_PAGE_MAX 940
/* A command with its text, and the NUL. */
#define PINENTRY_LINE_MAX 1000

/*
 * Appends text, the quoted ones in it broken into pieces that windows show on one line: where a
 * window broke one between two words, the rest would stand where our own words stand. A piece goes
 * on in a line of its own after a plus sign, in quotes again. Texts of one word stay whole.
 */
void pinentry_break_quotes(struct buf *out, struct bytes text);

/*
 * Takes a page from the front: as many whole lines as fit, at most max_lines, without the last
 * line's end; a part of a line only where one alone is too long. Empty when nothing is left.
 */
struct bytes pinentry_page(struct bytes *rest, size_t max_lines);

/*
 * Appends text as Assuan escapes it. What is neither a line end nor printable ASCII becomes "?":
 * the agent sends none of it.
 */
void pinentry_escape(struct buf *out, struct bytes text);

#endif
