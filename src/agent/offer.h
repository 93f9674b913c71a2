/*
 * From the keys that a token holds to those that the agent offers: of its sections of the
 * configuration at least one must want a key, and certificates that belong to it stand before it.
 */
#ifndef AGENT_OFFER_H
#define AGENT_OFFER_H

#include "keyring.h"

/* What its worker said of its keys last, token->report, is offered from now on. */
void offer_token(struct token *token);
/* The same for all tokens of a provider, whose rules or certificates may be others now. */
void offer_provider(struct provider *provider);
/*
 * Why a key of the token's report is not offered: the option that keeps it back and its section,
 * both borrowed. NULL: it is, or nothing of the token is.
 */
const char *offer_refusal(
	const struct token *token, const struct ks_key *key, const char **section);
/* How many such keys its tokens hold. */
size_t offer_withheld(const struct provider *provider);

#endif
