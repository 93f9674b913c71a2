/*
 * What a test tells the token and asks of it: lines over a stream socket, each answered by one
 * line that begins with "ok" or "error". The words are listed at the end of control.c.
 */
#ifndef AUTHENTICATOR_CONTROL_H
#define AUTHENTICATOR_CONTROL_H

#include <stddef.h>

struct token;

#define CONTROL_ANSWER_MAX 1024

/* line: without its end; it is taken apart. */
void control_run(struct token *token, char *line, char answer[CONTROL_ANSWER_MAX]);

#endif
