/*
 * The terminal of one question: what goes out and comes in, until the question is withdrawn or the
 * terminal goes away, and its modes.
 */
#ifndef KEYSTILE_PROMPT_TERMINAL_WIRE_H
#define KEYSTILE_PROMPT_TERMINAL_WIRE_H

#include <termios.h>

#include "terminal_place.h"

enum wire_event {
	WIRE_READY,
	WIRE_TIME,
	WIRE_WITHDRAWN,
	WIRE_GONE,  /* it hung up, or another program came to its foreground */
	WIRE_STUCK, /* it takes nothing */
	WIRE_NO,    /* the person refused */
	WIRE_NO_MEMORY,
};

struct terminal_wire {
	struct terminal_place place;
	struct termios before;
	struct termios raw;
	bool changed; /* its modes are ours */
	int signals;  /* see ask_signals() */
};

int64_t wire_now_ms(void);
/*
 * Until the terminal can be read (POLLIN) or written (POLLOUT), or with 0 only until the time is
 * over; until_ms of 0 is never.
 */
enum wire_event wire_await(struct terminal_wire *wire, short wanted, int64_t until_ms);
enum wire_event wire_put(struct terminal_wire *wire, struct bytes bytes);
/* The last word; who can't take it at once does without. */
void wire_say_at_once(const struct terminal_wire *wire, const char *words);

/* Drops what waits to be read. No echo, no lines, no signals, no stopping. */
bool wire_make_raw(struct terminal_wire *wire);
/* As it was, if nobody has changed it since; what was typed and not taken is for nobody else. */
void wire_restore(struct terminal_wire *wire);

#endif
