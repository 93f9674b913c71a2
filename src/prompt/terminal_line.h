/*
 * One line that a person types into a terminal in raw mode, key by key. What can't be part of an
 * answer spoils the line instead of being left out: a PIN that lacks a key costs a try.
 */
#ifndef KEYSTILE_PROMPT_TERMINAL_LINE_H
#define KEYSTILE_PROMPT_TERMINAL_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include <keystile/secret.h>

enum line_state {
	LINE_OPEN,
	LINE_ENDED,   /* by Return */
	LINE_REFUSED, /* by Escape, or a key that interrupts, quits, suspends or ends the input */
};

struct terminal_line {
	struct secret *text; /* of the caller, at least KS_PIN_MAX long */
	bool spoilt;	     /* a control character was typed, or too much */
	bool words_only;     /* what is not printable ASCII spoils it */
	const struct termios *keys;
};

/* A key: erases, kills, ends or adds a byte. */
enum line_state terminal_line_take(struct terminal_line *line, uint8_t byte);
/* Wipes what was typed. */
void terminal_line_clear(struct terminal_line *line);

#endif
