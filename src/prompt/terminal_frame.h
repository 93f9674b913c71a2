/*
 * A question as it stands in a terminal: in a frame, in lines that fit. A pure function; what a
 * stranger chose can't begin a line, however narrow the window is, nor leave the frame.
 */
#ifndef KEYSTILE_PROMPT_TERMINAL_FRAME_H
#define KEYSTILE_PROMPT_TERMINAL_FRAME_H

#include <keystile/buffer.h>

/* What is narrower is taken to be this wide: the terminal wraps. */
#define FRAME_COLUMNS_MIN 20
#define FRAME_COLUMNS_MAX 100

struct frame_text {
	const char *title;   /* ours */
	const char *trouble; /* one line; may be empty */
	const char *text;    /* lines that end with \n */
};

/* Appends lines that end with \r\n; each has at most columns characters. */
void terminal_frame(struct buf *out, const struct frame_text *what, size_t columns);

#endif
