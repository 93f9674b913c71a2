/*
 * Yeses that count for more than one request: rules with "remember" in keystile.conf(5). Each is
 * for one rule, key, process, proven host and user there, for a fixed time that use does not
 * extend. Never asked about for what is remote, and never instead of what a token demands.
 */
#ifndef AGENT_APPROVALS_H
#define AGENT_APPROVALS_H

#include <stdbool.h>
#include <stdint.h>

#include <keystile/buffer.h>

#include "peer.h"
#include "subject.h"

#define APPROVALS_MAX 64

/* What a yes was given for; all of it borrowed. */
struct approval_scope {
	const char *rule;
	struct bytes key_blob;
	const struct subject *subject; /* a login whose host is proven */
	const struct peer *peer;
};

struct approval {
	char name[64];	   /* a digest of the scope; "": none */
	uint64_t until_ms; /* of the clock that the caller reads */
};

/* Zeroed is empty. */
struct approvals {
	struct approval list[APPROVALS_MAX];
};

bool approvals_cover(
	const struct approvals *approvals, const struct approval_scope *scope, uint64_t now_ms);
/* One that counts already stays as it is. When all places are taken, the one that ends first goes.
 */
void approvals_add(struct approvals *approvals, const struct approval_scope *scope, uint64_t now_ms,
	uint64_t window_ms);
/* The agent was locked, or the rules are others now. */
void approvals_forget(struct approvals *approvals);

#endif
