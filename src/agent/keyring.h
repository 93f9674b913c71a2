/*
 * The keys that the agent offers, in the order in which they came. A key is its blob and an
 * ordered list of sources, the tokens that hold it: the first one that lives is asked to
 * sign, the others are in reserve. Tokens belong to providers (provider.h). Where a provider takes
 * keys from clients, its one "token" holds what they added, each with constraints of its own.
 */
#ifndef AGENT_KEYRING_H
#define AGENT_KEYRING_H

#include <keystile/backend.h>

#define KEYRING_KEYS_MAX 16384

struct constraints;
struct provider;
struct token_card;
struct token_report;

/* A token that a worker reported. Outlives the worker: it is known again by label, serial and
 * model. */
struct token {
	struct token *next;
	struct provider *provider;
	uint32_t id;	  /* the worker's, as long as that one lives */
	bool absent;	  /* not there now; its keys stay listed, and its id means nothing */
	bool unconfirmed; /* from before a restart; not reported again yet, its id means nothing */
	char *label;
	char *serial;
	char *model;
	char *location;
	uint32_t flags;		     /* enum ks_token_flags */
	int32_t tries_left;	     /* or KS_TRIES_UNKNOWN */
	uint64_t release_ms;	     /* when its login ends, see login_release.h; 0: it stays */
	struct token_report *report; /* what its worker said of its keys; NULL: nothing yet */
	struct token_card *card;     /* what its card says of itself; NULL: nothing */
	unsigned left_out;	     /* of its keys, as its provider has too many */
};

struct key_source {
	struct key_source *next;
	struct token *token;
	uint32_t flags; /* enum ks_key_flags */
	bool hidden;	/* removed by the person; comes back with the next ssh-add -s */
	bool stale;	/* while the token's keys are replaced */
	bool from_afar; /* added by an ssh that may have relayed it */
	/* Keys that a client added; of others these are the provider's. */
	struct constraints *constraints; /* NULL: none */
	uint64_t expires_ms;		 /* of expiry_now_ms(), 0: never */
};

/* Counted: a request holds the key it signs with, whatever happens to the token meanwhile. */
struct key {
	struct key *next;
	unsigned references;
	struct buf blob;
	enum key_kind kind;
	char *comment;
	struct public_key *public_key; /* see key_public() */
	struct key_source *sources;
};

/* A key that a client added and a worker has taken. */
struct key_addition {
	struct bytes blob;
	enum key_kind kind;
	const char *comment;
	struct constraints *constraints; /* a reference is taken */
	uint64_t expires_ms;		 /* 0: never */
	bool from_afar;
};

struct keyring {
	struct key *first;
	unsigned count;
};

/*
 * The token holds exactly these keys: adds what is new, drops what is gone, leaves the rest where
 * it is. Blobs that don't parse are left out with a log line. unhide brings back what the person
 * removed.
 */
void keyring_token_is(
	struct keyring *keyring, struct token *token, const struct ks_key *keys, size_t count);
void keyring_token_gone(struct keyring *keyring, struct token *token);
bool keyring_token_has_keys(const struct keyring *keyring, const struct token *token);
void keyring_unhide(struct keyring *keyring, const struct provider *provider);
/* The person removed this key: what tokens hold of it is offered no more. */
void keyring_hide(struct key *key);
/* Adds it, or replaces in its place what was added before; token takes keys from clients. */
KS_MUST_CHECK enum ks_error keyring_add(
	struct keyring *keyring, struct token *token, const struct key_addition *addition);
/* What a client added under this blob has gone. */
void keyring_drop(struct keyring *keyring, const struct token *token, struct bytes blob);
void keyring_deinit(struct keyring *keyring);

/* The source of a key that a client added, or NULL. */
struct key_source *key_added_source(const struct key *key);
/* An offered key by its blob, or NULL. */
struct key *keyring_find(struct keyring *keyring, struct bytes blob);
/* How many keys of a provider's tokens are offered; what clients added is not counted. */
unsigned keyring_count(const struct keyring *keyring, const struct provider *provider);
unsigned keyring_count_from_afar(const struct keyring *keyring);

/*
 * The source that is asked to sign, or NULL when none is offered now; one whose token is away only
 * where there is no other. Providers that are still being loaded offer nothing: their constraints
 * may not be complete.
 */
struct key_source *key_source(const struct key *key);
/*
 * A certificate of a token's key that is not valid now, five minutes aside: it would cost a client
 * one of the tries that servers allow. What ssh-add adds has the time that ssh-add gives it.
 */
bool key_outdated(const struct key *key);
struct key *key_reference(struct key *key);
void key_release(struct key **key);
bool key_is_security_key(const struct key *key);
/* All that offers it now was added by an ssh that may have relayed it. */
bool key_is_from_afar(const struct key *key);
/* Parsed when it is first asked for: most keys of a long list never are. NULL when out of memory.
 */
const struct public_key *key_public(struct key *key);

void token_free(struct token *token);
/* Another report of the same physical token, as far as it says. */
bool token_same(const struct token *token, const struct ks_token *reported);
/* What clients add is of this one, which holds nothing else. */
bool token_takes_keys(const struct token *token);
/* Copies texts and state from the report. */
KS_MUST_CHECK enum ks_error token_update(struct token *token, const struct ks_token *reported);

#endif
