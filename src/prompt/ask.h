/*
 * Runs a prompt program (askpass) for one question and waits for its end, while listening for
 * the agent's wish to withdraw it.
 */
#ifndef KEYSTILE_PROMPT_ASK_H
#define KEYSTILE_PROMPT_ASK_H

#include <keystile/secret.h>

#include "answer.h"

/* What an answer may take: the PIN, its line end, and a byte by which too much is seen. */
#define ASK_OUTPUT_MAX (KS_PIN_MAX + 3)

/*
 * The signals that ask() listens for, blocked from now on: SIGCHLD, and SIGTERM, SIGINT and
 * SIGHUP, each of which withdraws the question. A signalfd, or -1 with errno.
 */
int ask_signals(void);

/* A notice can be seen: whoever started this helper is told (PROMPT_SHOWN_FD). */
void ask_shown(void);

/*
 * The program gets a session of its own, the text as its only argument, and nothing else but what
 * it inherits; when it is withdrawn or prints too much, all that it has started is killed with it.
 * The answer's pin borrows from output, which is secret_init()ed with ASK_OUTPUT_MAX. A withdrawn
 * question is PROMPT_NO, a program that can't be run PROMPT_NOBODY. A notice counts as shown once
 * an askpass runs, or once the conversation with a pinentry has got to where that shows it.
 */
struct answer ask(const struct prompt_question *question, int signals, struct secret *output);

#endif
