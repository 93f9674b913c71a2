/*
 * What a test tells the token and asks of it: lines over a stream socket, each answered by one
 * line that begins with "ok" or "error". The words are listed at the end of control.c.
 */
#ifndef AUTHENTICATOR_CONTROL_H
#define AUTHENTICATOR_CONTROL_H

#include "item.h"

struct token;

#define CONTROL_ANSWER_MAX 1024

/* line: without its end; it is taken apart. */
void control_run(struct token *token, char *line, char answer[CONTROL_ANSWER_MAX]);

/* ---- credential_control.c; both return what is wrong, or NULL ---- */

/* Hexadecimal text, into room bytes. */
const char *control_bytes(const char *text, size_t room, struct span *out, uint8_t *bytes);

/* A resident ed25519 credential of the application words[2] with the id words[1] and a key from the
 * seed words[0]. */
const char *control_hold(struct token *token, char *const words[static 3], uint32_t protect);

#endif
