/*
 * Asks one question in a terminal: that of a `keystile prompter`, or of the process that asks for a
 * signature. No program is run for it, nothing waits for a terminal that takes or gives nothing,
 * and the terminal is left in the modes in which it was.
 */
#ifndef KEYSTILE_PROMPT_TERMINAL_H
#define KEYSTILE_PROMPT_TERMINAL_H

#include <keystile/secret.h>

#include "answer.h"

#define TERMINAL_WORDS_MAX 300

/*
 * signals is that of ask_signals(); the answer's pin borrows from output, which is secret_init()ed
 * with ASK_OUTPUT_MAX, its words from words. A terminal that can't be used, or goes away, is
 * PROMPT_NOBODY; a withdrawn question is PROMPT_NO.
 */
struct answer terminal_ask(const struct prompt_question *question, int signals,
	struct secret *output, char words[static TERMINAL_WORDS_MAX]);

#endif
