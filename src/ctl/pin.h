/*
 * PINs and passwords that are typed in the command's own terminal. The prompt helper asks for them,
 * as it does for the agent; it looks after the terminal's modes and at who else reads there.
 */
#ifndef KEYSTILE_CTL_PIN_H
#define KEYSTILE_CTL_PIN_H

#include <stdbool.h>

#include <keystile/error.h>
#include <keystile/secret.h>

struct pin_question {
	const char *text;    /* lines, each with its \n; foreign text in it is quoted */
	const char *trouble; /* one line about what went wrong before, or "" */
	bool password;	     /* is what it is called */
};

/*
 * Asks once; *out is the reading end of a pipe that holds what was typed, which this process never
 * sees. KS_REFUSED: nothing was; KS_PIN_NEEDED: there is no terminal, which was said.
 */
KS_MUST_CHECK enum ks_error pin_ask(const struct pin_question *question, int *out);
/*
 * The same, read: secret_deinit() is due after KS_OK.
 */
KS_MUST_CHECK enum ks_error pin_read(const struct pin_question *question, struct secret *out);
/* Appends it to a row of strings, which is empty or was made by this. */
KS_MUST_CHECK enum ks_error pin_append(struct secret *row, const struct secret *one);
/* Asks twice, until both are the same, three times at the most. */
KS_MUST_CHECK enum ks_error pin_choose(const char *text, struct secret *out);

#endif
