/*
 * Messages 20, 26 and 21: loading a provider (`ssh-add -s`) and removing one (`ssh-add -e`).
 */
#ifndef AGENT_PROVIDER_REQUEST_H
#define AGENT_PROVIDER_REQUEST_H

#include "connection.h"

/* body may hold a PIN: it has been handed on or forgotten when this returns. */
void provider_request_add(struct connection *connection, struct bytes body);
void provider_request_remove(struct connection *connection, struct bytes body);

/* For the files that carry it out: a refusal is written down. */
void provider_note_refusal(
	struct connection *connection, const char *given, const char *words, const char *remedy);

#endif
