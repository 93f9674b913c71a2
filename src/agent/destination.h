/*
 * Destination constraints (OpenSSH PROTOCOL.agent, CONFORMANCE): whether a key may be listed on a
 * connection, or sign this for it. Pure functions over constraints, the connection's binds, what
 * is to be signed, and the time, which host certificates depend on.
 */
#ifndef AGENT_DESTINATION_H
#define AGENT_DESTINATION_H

#include "constraints.h"
#include "session_bind.h"
#include "subject.h"

/* Also what may be removed or replaced on the connection. */
bool destination_lists(const struct constraints *constraints, const struct session_binds *binds);
/*
 * NULL when the signature is permitted, else why it is not: static words for the log and the
 * status.
 */
const char *destination_refusal(const struct constraints *constraints,
	const struct session_binds *binds, const struct subject *subject);

/* The same at a time, in seconds since 1970. */
bool destination_lists_at(
	const struct constraints *constraints, const struct session_binds *binds, uint64_t now);
const char *destination_refusal_at(const struct constraints *constraints,
	const struct session_binds *binds, const struct subject *subject, uint64_t now);

#endif
