/*
 * The checks on a signature request that need no human and no token: which algorithm, whether the
 * connection is still what it seemed, and policy's verdict.
 */
#ifndef AGENT_SIGN_CHECK_H
#define AGENT_SIGN_CHECK_H

#include "connection.h"
#include "keyring.h"
#include "policy.h"

/* By the key and, for RSA, message 13's flags: 2 wins over 4, without either it is SHA-1. */
enum ks_algorithm sign_algorithm(enum key_kind kind, uint32_t flags);
/*
 * An honest ssh signs nothing but the login of the session that it bound first; one that asks for
 * something else makes its connection remote.
 */
void sign_check_ssh(struct connection *connection, const struct subject *subject);
/* What is known of a key before anybody asks for it; it is offered: it has a source. */
struct policy_facts sign_facts(const struct agent *agent, const struct key *key);
/* key as above, and parsed. */
struct policy_verdict sign_decide(const struct connection *connection, struct key *key,
	const struct subject *subject, enum ks_algorithm algorithm);

#endif
