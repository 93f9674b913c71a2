/*
 * The security keys that are plugged in, and who uses which: one operation at a time has a token,
 * others wait for it. What is known of a token ends when it is pulled: AAGUID, path and serial
 * number can be copied, so one that comes back is another one.
 */
#ifndef KEYSTILE_FIDO2_TOKENS_H
#define KEYSTILE_FIDO2_TOKENS_H

#include <pthread.h>

#include "hid_list.h"
#include "session.h"

#define TOKENS_MAX 16 /* more are not looked at */
#define TOKEN_KNOWN_MAX 64
#define RESIDENTS_MAX 256 /* see residents.h */
#define TOKEN_FIRST_ID 2  /* 1 is where added keys belong */

/* A key that is on this token. */
struct known_key {
	uint8_t hash[TOKEN_HASH_BYTES]; /* of its blob */
	bool proved;			/* since the node is as it is */
};

struct fido_token {
	struct fido_token *next;
	uint32_t id;
	char *path;
	char *product;
	char *manufacturer;
	char *serial;
	int removed; /* eventfd: readable once it was pulled */
	struct hid_node node;
	/* Under the lock of struct tokens. */
	unsigned references; /* the list's, and operations' */
	bool gone;
	bool busy;
	int64_t idle_since_ms;
	struct known_key known[TOKEN_KNOWN_MAX];
	unsigned known_next;
	struct secret kept; /* its PIN: kept_pin.h */
	int64_t kept_until_ms;
	bool asked;    /* which resident keys it has */
	bool given_up; /* it could not be, and is not again without a reason */
	bool shows[RESIDENTS_MAX];
	/* Of the operation that has it. */
	struct session session;
	bool pin_locked; /* no PIN is taken until it was pulled and put back */
};

struct tokens {
	struct ks_worker *worker;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct fido_token *first;
	struct token_claim *claims; /* operations that wait for tokens: token_queue.c */
	uint32_t last_id;
	int wake;	      /* eventfd of the finder: a token is idle, or it is to end */
	uint32_t pin_seconds; /* how long PINs are kept, 0: not at all */
	/* Tells the agent of one, under the lock. */
	void (*report)(void *owner, const struct fido_token *token);
	void *report_owner;
};

KS_MUST_CHECK enum ks_error tokens_init(struct tokens *tokens, struct ks_worker *worker);
void tokens_deinit(struct tokens *tokens);

/* ---- For the finder ---- */

/* Reports it, unless a token of that path is there already. */
void tokens_appeared(struct tokens *tokens, const struct hid_found *found);
bool tokens_know(struct tokens *tokens, const char *path);
/* What is not among paths was pulled. */
void tokens_keep_only(struct tokens *tokens, const char *const *paths, size_t count);
/* What was there was pulled; what is there now may be known already, and stays. */
void tokens_removed(struct tokens *tokens, const char *path);
/* Closes those that nobody used for a while; when to look again in ms, -1: no need to. */
int tokens_close_idle(struct tokens *tokens);
void tokens_report(struct tokens *tokens); /* all of them to the agent */

/* ---- For work that nobody waits for (residents.h) ---- */

/* Under the lock, which is let go of meanwhile; sooner where a token came, went or was freed. */
void tokens_wait_ms(struct tokens *tokens, int patience_ms);
/* Whatever a token is at ends, as if it were pulled: the worker ends. */
void tokens_interrupt(struct tokens *tokens);

/* ---- For operations ---- */

/* As the agent is told of it; borrows. */
struct ks_token token_view(const struct fido_token *token);
/* By its device or its serial number, as the person says which one; NULL: any is. */
bool token_is_called(const struct fido_token *token, const char *name);
/* A reference to each, for token_unreference(); those that are known to hold the key first. */
size_t tokens_present(
	struct tokens *tokens, struct bytes blob, struct fido_token *out[static TOKENS_MAX]);
void token_unreference(struct tokens *tokens, struct fido_token *token);
/*
 * Waits until no other operation has any of them, and this one is next. KS_NO_TOKEN: one was
 * pulled. Remote is for the agent's word that the request came from afar.
 */
KS_MUST_CHECK enum ks_error tokens_take(struct tokens *tokens, struct ks_operation *operation,
	bool remote, struct fido_token *const *wanted, size_t count);
/* KS_BUSY: another operation has it, or has it next. */
KS_MUST_CHECK enum ks_error token_take_at_once(struct tokens *tokens, struct fido_token *token);
void token_give_back(struct tokens *tokens, struct fido_token *token);

bool token_knows(struct tokens *tokens, struct fido_token *token, struct bytes blob);
/* And it has shown so since it was plugged in: by a verified assertion, or a finger that chose it.
 */
bool token_proved(struct tokens *tokens, struct fido_token *token, struct bytes blob);
void token_learn(struct tokens *tokens, struct fido_token *token, struct bytes blob);
void token_forget(struct tokens *tokens, struct fido_token *token, struct bytes blob);
/*
 * When it is opened: whether what its path leads to is still what was found. KS_NO_TOKEN: it was
 * pulled, which udev is about to tell, and there may be another one. One that was changed by
 * anybody (who may open it, for instance) has to prove anew what it holds.
 */
KS_MUST_CHECK enum ks_error token_check_node(
	struct tokens *tokens, struct fido_token *token, int device);

#endif
