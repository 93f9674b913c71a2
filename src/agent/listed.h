/*
 * What a connection is shown of the keys: a listener may be for some of them only, and lists for
 * other machines say nothing of the person or the token.
 */
#ifndef AGENT_LISTED_H
#define AGENT_LISTED_H

#include <stdbool.h>

#include "keyring.h"

struct connection;

/*
 * What a list of patterns for keys says of one: a fingerprint, also that of the key a certificate
 * is for (plain), or a pattern of comments; "!" in front excludes. False when out of memory.
 */
bool listed_matches(
	char *const *patterns, struct bytes blob, struct bytes plain_blob, const char *comment);
/* Whether the key is among those of the connection's listener. False when out of memory. */
bool listed_here(const struct connection *connection, struct key *key);
/*
 * The comment that a list on this connection has for the key: its own, or a neutral one, the kind
 * of the key and the start of its fingerprint. NULL when out of memory; the caller frees it.
 */
char *listed_comment(const struct connection *connection, const struct key *key);

#endif
