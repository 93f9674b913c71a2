/*
 * What the audit log says of a signature. See audit.h.
 */
#ifndef AGENT_AUDIT_SIGN_H
#define AGENT_AUDIT_SIGN_H

#include <keystile/public_key.h>

#include "connection.h"
#include "keyring.h"
#include "policy.h"
#include "worker.h"

/* What was asked for; len: of the data to be signed. */
void audit_sign(struct connection *connection, const struct key *key, const struct subject *subject,
	size_t len);
void audit_sign_verdict(struct connection *connection, const struct policy_verdict *verdict);
/* The person said yes a while ago, and that still counts. */
void audit_sign_remembered(struct connection *connection);
/* The person let the yes count for some time. */
void audit_sign_remember(struct connection *connection, uint32_t seconds);
/* It had to wait until the agent was unlocked; typed: by a password that was asked for. */
void audit_sign_unlocked(struct connection *connection, bool typed);
/* See counters.h. */
void audit_sign_counter(struct connection *connection, uint32_t was, uint32_t is);
/* The person said yes. */
void audit_sign_confirmed(struct connection *connection);
/* What is known of a touch or a PIN now that the worker is done; facts of an unverified one are 0.
 */
void audit_sign_presence(struct connection *connection, const struct operation *operation,
	const struct signature_facts *facts);

#endif
