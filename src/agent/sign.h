/*
 * Message 13: one signature, from the checks that need no human over the person and the
 * worker to the checks on the result. States: request.h.
 */
#ifndef AGENT_SIGN_H
#define AGENT_SIGN_H

#include "connection.h"

/* Answers at once or puts a request in work; message is borrowed. */
void sign_begin(struct connection *connection, const struct message_sign *message);

#endif
