/*
 * Which terminal a question is asked in, and whether nobody else reads there: what is typed into
 * a terminal in which an ssh, a mosh or a container's shell runs is typed into the other machine.
 * Everything else is refused with a reason.
 */
#ifndef KEYSTILE_PROMPT_TERMINAL_PLACE_H
#define KEYSTILE_PROMPT_TERMINAL_PLACE_H

#include <keystile/process.h>
#include <keystile/prompt.h>

#define PLACE_WORDS_MAX 200

struct terminal_place {
	int fd; /* its own open file, non-blocking; -1 */
	struct process holder;
	char words[PLACE_WORDS_MAX]; /* why it is refused */
};

/*
 * Opens the terminal of the question's holder, which must be in its foreground. For a notice that
 * is all; to be answered in, it must besides be in line mode with echo and have no other reader.
 * False: words says why. terminal_place_close() is due either way.
 */
bool terminal_place_open(struct terminal_place *place, const struct prompt_question *question);
/* The holder is still there, in the foreground of the same terminal; else words says so. */
bool terminal_place_holds(struct terminal_place *place);
void terminal_place_close(struct terminal_place *place);

#endif
