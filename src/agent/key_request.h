/*
 * Messages 17, 25 and 18: a client adds a key, private part and all, or removes one.
 */
#ifndef AGENT_KEY_REQUEST_H
#define AGENT_KEY_REQUEST_H

#include "connection.h"

/* The body lies in the vault: what has to last is handed on or copied before this returns. */
void key_request_add(struct connection *connection, struct bytes body);
void key_request_remove(struct connection *connection, struct bytes body);

#endif
