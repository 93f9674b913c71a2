/*
 * What each message does, and which connection may send it. Messages are parsed here and either
 * answered at once or handed to a request.
 */
#ifndef AGENT_DISPATCH_H
#define AGENT_DISPATCH_H

#include "connection.h"

/* body is borrowed and wiped by the caller afterwards if it was secret. */
void dispatch(struct connection *connection, uint8_t type, struct bytes body);
/* Says failure, and tells the person where it was something that somebody may have wanted. */
void dispatch_refuse(struct connection *connection, uint8_t type);
/* Whether a message that carries a secret is wanted at all from this connection. */
bool dispatch_takes_secret(const struct connection *connection, uint8_t type);
/* The first message of a connection is something other than a bind that was accepted. */
void dispatch_first_is_no_bind(struct connection *connection);

#endif
