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

/* enum ks_presence bits that a signature with this key, which is offered, can prove. */
uint32_t sign_provable(const struct key *key);

/* What rules are compared with and has to be made; zeroed is none. */
struct rule_texts {
	char *fingerprint;
	char *plain_fingerprint; /* of the key in a certificate, else NULL */
	char *sign_namespace;	 /* or NULL */
};

/* False: out of memory, and nothing is to be given back. */
KS_MUST_CHECK bool rule_texts_init(
	struct rule_texts *texts, struct key *key, const struct subject *subject);
void rule_texts_deinit(struct rule_texts *texts);
/*
 * Fills in what does not depend on who asks: the key, which is offered, as it is held now, and the
 * configuration. Facts borrow from all of them.
 */
void sign_facts_of_key(const struct agent *agent, const struct key *key,
	const struct rule_texts *texts, struct policy_facts *facts);
/* The key is offered, and parsed. */
struct policy_verdict sign_decide(const struct connection *connection, struct key *key,
	const struct subject *subject, enum ks_algorithm algorithm);

#endif
