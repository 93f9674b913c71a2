/*
 * Local or remote: the one fact about a connection that decides what it may do. Pure
 * rules over facts that others gathered. It starts with what is known at the accept and
 * can only get worse (DESIGN: who is asking).
 */
#ifndef AGENT_ORIGIN_H
#define AGENT_ORIGIN_H

#include <stdbool.h>

#include "config.h"
#include "peer.h"

/* Why a connection counts as remote; the first rule that made it so is kept (see origin_worsen). */
enum origin_rule {
	ORIGIN_LOCAL = 0,
	ORIGIN_REMOTE_LISTENER,
	ORIGIN_FORWARDING_BIND,
	ORIGIN_REFUSED_BIND,
	ORIGIN_UNVERIFIABLE_BIND,
	ORIGIN_RELAY,
	ORIGIN_SSH_SECOND_CONNECTION,
	ORIGIN_SSH_WITHOUT_BIND,
	ORIGIN_SSH_OTHER_DATA,
	ORIGIN_NAMESPACE,
	ORIGIN_UNKNOWN_PROCESS,
	ORIGIN_CHANGED_PROCESS,
	ORIGIN_UNKNOWN_CLIENT,
	ORIGIN_RULE_COUNT
};

struct origin {
	enum origin_rule rule;
};

static inline bool origin_remote(const struct origin *origin)
{
	return origin->rule != ORIGIN_LOCAL;
}

/*
 * Never undone: a remote connection keeps its first rule, but for a second connection of ssh that
 * turns out to be a forwarded agent.
 */
void origin_worsen(struct origin *origin, enum origin_rule rule);

/* What is known of a connection before its first message. */
struct origin_facts {
	const struct peer *peer;
	bool listener_remote;
	bool ssh_seen_before; /* this very process, an SSH client's, had a connection already */
};

struct origin origin_at_accept(const struct origin_facts *facts, const struct config *config);
/*
 * The peer is an SSH client that logs in over its first connection, and opens further ones for the
 * hosts that it forwards the agent to: OpenSSH's and Dropbear's.
 */
bool origin_peer_forwards_later(const struct peer *peer);
/* The peer is OpenSSH's client, from which more is expected. */
bool origin_peer_is_ssh(const struct peer *peer);
/* For programs: "forwarding-bind" and the like; static. */
const char *origin_name(enum origin_rule rule);
/* For a person: "relayed by sshd" and the like; static. */
const char *origin_words(enum origin_rule rule);

#endif
