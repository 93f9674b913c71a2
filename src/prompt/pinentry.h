/*
 * The conversation with a pinentry, by libassuan. It blocks, so it runs in a process of its own
 * that behaves to the helper as an askpass does: the PIN goes to standard output after the
 * pinentry has ended well, and how it ended is the exit status.
 */
#ifndef KEYSTILE_PROMPT_PINENTRY_H
#define KEYSTILE_PROMPT_PINENTRY_H

#include <keystile/prompt.h>

/* Exit statuses; the first two mean what askpass's mean. */
enum pinentry_end {
	PINENTRY_DONE = 0,
	PINENTRY_REFUSED = 1,
	PINENTRY_MISSING = 2,  /* there is no such program */
	PINENTRY_LOST = 3,     /* it ended, or said what is no line */
	PINENTRY_NONSENSE = 4, /* it said what no pinentry says */
	PINENTRY_UNABLE = 5,   /* it could not do what it was told */
	PINENTRY_CACHED = 6,   /* it took the PIN out of some store */
	PINENTRY_SPOILT = 7,   /* it answered, and then failed */
	PINENTRY_TOO_LONG = 8, /* the question has more pages than anybody would read */
	PINENTRY_NO_MEMORY = 9,
	PINENTRY_REMEMBER = 10, /* allowed, and for some time; only where that was offered */
};

/* Asks and writes the PIN to standard output; the process has nothing to do after it. */
enum pinentry_end pinentry_ask(const struct prompt_question *question);

#endif
