/*
 * What was said of a key when it, or its token, was added: over all its sources, also those that
 * are in reserve or hidden, and the strictest counts.
 */
#ifndef AGENT_KEY_RULES_H
#define AGENT_KEY_RULES_H

#include "keyring.h"
#include "session_bind.h"
#include "subject.h"

/* Ask before each signature. */
bool key_wants_confirmation(const struct key *key);
/*
 * Whether a connection with these binds may see it; only what it sees it may remove or replace. A
 * remote one without binds comes from nobody knows where.
 */
bool key_listed(const struct key *key, const struct session_binds *binds, bool remote);
/* NULL, or why it may not be used for that: static words. */
const char *key_destination_refusal(
	const struct key *key, const struct session_binds *binds, const struct subject *subject);

#endif
