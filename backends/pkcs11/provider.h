/*
 * One module and the tokens seen in it so far. The table is brought up to date by
 * provider_refresh(), from any thread: a request that found its token gone, a list, or
 * whoever watches the slots.
 */
#ifndef KEYSTILE_PKCS11_PROVIDER_H
#define KEYSTILE_PKCS11_PROVIDER_H

#include <time.h>

#include "token.h"
#include "uri.h"

struct watch;

/* Different tokens in a worker's life; and slots of a module. */
#define PROVIDER_TOKENS_MAX 256

enum refresh_extent {
	REFRESH_CHANGED, /* reads the keys of tokens that are new or came back */
	REFRESH_ALL,
};

struct provider {
	struct ks_worker *worker; /* borrowed */
	struct watch *watch;	  /* may be NULL */
	struct module module;
	struct card_library cards;
	struct p11_kit_uri *uri; /* which tokens are meant; NULL: all */
	struct gate calls;	 /* who calls the module is inside, who finalises it is alone */
	struct gate scan;	 /* who looks through the slots is alone */
	pthread_mutex_t lock;
	pthread_cond_t entered; /* the module was used, or the idle thread is to end */
	pthread_t idle;
	bool idle_runs;
	bool ends;
	bool used_since;      /* the idle thread looked */
	struct timespec used; /* when somebody left it last */
	bool worn;	      /* the module is to be initialised anew before it is used again */
	struct token *tokens[PROVIDER_TOKENS_MAX];
	size_t count;
};

void provider_init(struct provider *provider, struct ks_worker *worker);
void provider_deinit(struct provider *provider);

/*
 * To be called before a token is used or looked for, and left when that is over: the module is
 * initialised then, anew where it has to be and nobody else is inside. Not by who waits to be alone
 * in anything.
 */
KS_MUST_CHECK enum ks_error provider_enter(
	struct provider *provider, struct ks_operation *operation);
void provider_leave(struct provider *provider);

/*
 * The card in this reader was taken out: its token has gone. Where the reader is occupied again,
 * that is told when the module was looked through. The module, which may have missed it, begins
 * anew.
 */
void provider_card_left(struct provider *provider, const char *reader, bool occupied);
/* The module shows a token there. */
bool provider_has_token_in(struct provider *provider, const char *reader);
/* The one that it shows there, NULL where it shows none or several. */
struct token *provider_only_token_in(struct provider *provider, const char *reader);
/*
 * pcscd has gone, and with it all that the module had from it: its tokens are gone, and who enters
 * next begins with it anew.
 */
void provider_service_lost(struct provider *provider);
/*
 * Finalises the module, where its tokens are cards, nobody uses it and no login is open. They stay
 * as they are known.
 */
void provider_rest(struct provider *provider);
/* The module is to begin anew before it is used again. */
void provider_wear(struct provider *provider);
/* For nobody's request: looks through the slots, with a module that begins anew where it has to. */
KS_MUST_CHECK enum ks_error provider_look_again(struct provider *provider);
/* The token is not there any more: the agent is told first, as modules may take long to notice. */
void provider_token_gone(struct provider *provider, struct token *token);

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
/* KS_OK at once where the token is present and known to the agent, otherwise looks for it. */
KS_MUST_CHECK enum ks_error provider_require(
	struct provider *provider, struct token *token, struct ks_operation *operation);
/* Reads the keys that the token shows now, and reports it. */
KS_MUST_CHECK enum ks_error provider_read_keys(
	struct provider *provider, struct token *token, struct ks_operation *operation);
/* Tells the agent of the token as it is now, or that it has gone. */
void provider_report(struct provider *provider, struct token *token);

#endif
