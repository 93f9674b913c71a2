/*
 * One module and the tokens seen in it so far. The table is brought up to date by
 * provider_refresh(), from any thread: a request that found its token gone, a list, or
 * whoever watches the slots.
 */
#ifndef KEYSTILE_PKCS11_PROVIDER_H
#define KEYSTILE_PKCS11_PROVIDER_H

#include "token.h"
#include "uri.h"

/* Different tokens in a worker's life; and slots of a module. */
#define PROVIDER_TOKENS_MAX 256

enum refresh_extent {
	REFRESH_CHANGED, /* reads the keys of tokens that are new or came back */
	REFRESH_ALL,
};

struct provider {
	struct ks_worker *worker; /* borrowed */
	struct module module;
	struct p11_kit_uri *uri; /* which tokens are meant; NULL: all */
	struct gate scan;	 /* who looks through the slots is alone */
	pthread_mutex_t lock;
	struct token *tokens[PROVIDER_TOKENS_MAX];
	size_t count;
};

void provider_init(struct provider *provider, struct ks_worker *worker);
void provider_deinit(struct provider *provider);

/*
 * Looks through the slots, reads keys, and reports what it found to the agent. Not to be called
 * by who is inside a token's use.
 */
KS_MUST_CHECK enum ks_error provider_refresh(
	struct provider *provider, struct ks_operation *operation, enum refresh_extent extent);
/* KS_NO_TOKEN and words where no such token was ever seen. */
KS_MUST_CHECK enum ks_error provider_token(
	struct provider *provider, struct ks_operation *operation, uint32_t id, struct token **out);
/*
 * The sessions of this generation turned out void: drops them and looks for the token again. KS_OK
 * when it is there, KS_NO_TOKEN when not.
 */
KS_MUST_CHECK enum ks_error provider_recover(struct provider *provider, struct token *token,
	unsigned generation, struct ks_operation *operation);
/* KS_OK at once where the token is present, otherwise looks for it. */
KS_MUST_CHECK enum ks_error provider_require(
	struct provider *provider, struct token *token, struct ks_operation *operation);
/* Reads the keys that the token shows now, and reports it. */
KS_MUST_CHECK enum ks_error provider_read_keys(
	struct provider *provider, struct token *token, struct ks_operation *operation);
/* Tells the agent of the token as it is now, or that it has gone. */
void provider_report(struct provider *provider, struct token *token);

#endif
