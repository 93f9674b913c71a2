/*
 * The card behind a token, asked beside the module: once after it came, and for the tries that are
 * left before a PIN is asked for and again before one is sent.
 */
#ifndef KEYSTILE_PKCS11_TOKEN_CARD_H
#define KEYSTILE_PKCS11_TOKEN_CARD_H

#include "provider.h"

/* Where it is not known yet, nobody uses the token and nobody is logged in: reads what it says. */
void token_card_learn(struct provider *provider, struct token *token);
/*
 * Reads the tries that are left into the token, unknown where they can't be had. The first one
 * does nothing where others use the token, in the second the caller is alone in its use.
 */
void token_card_try_tries(struct provider *provider, struct token *token);
void token_card_tries(struct provider *provider, struct token *token);
/* A PIN was sent: they are others now. */
void token_card_forget_tries(struct token *token);
/* Tells the agent what is known of it, if anything. Called with the token's lock held. */
void token_card_report(struct provider *provider, const struct token *token);
/*
 * The token will want a touch for a signature with this key, as far as its card says; a touch that
 * it keeps counts for a while.
 */
bool token_card_wants_touch(struct token *token, struct bytes blob);
/* Each signature with it wants a touch, and none is kept. */
bool token_card_always_touched(struct token *token, struct bytes blob);
/* A signature was made. */
void token_card_signed(struct token *token, struct bytes blob);

#endif
