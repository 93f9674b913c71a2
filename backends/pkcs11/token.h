/*
 * One token of a module: what tells it from others, its sessions, its login and its keys.
 * A token is never freed while its module is open, so that pointers to it stay good; when it is
 * taken out it is merely not present, and the same one put back, into whatever slot, is the
 * same token again.
 *
 * Locks, in the order they are taken: login, use, begin, lock. Nothing waits for a person but with
 * login alone. A thread that holds use never takes provider.h's scan.
 */
#ifndef KEYSTILE_PKCS11_TOKEN_H
#define KEYSTILE_PKCS11_TOKEN_H

#include "gate.h"
#include "key_list.h"
#include "module.h"
#include "piv.h"

#define TOKEN_SESSIONS_MAX 8

/* The texts of CK_TOKEN_INFO without their padding. */
struct token_identity {
	char label[33];
	char manufacturer[33];
	char model[17];
	char serial[17];
};

enum session_state { SESSION_NONE, SESSION_IDLE, SESSION_BUSY };

/* All but state is the holder's while the session is busy. */
struct session {
	enum session_state state;
	CK_SESSION_HANDLE handle;
	unsigned generation; /* the token's, when it was taken */
	unsigned logins;     /* the token's, when it was taken */
};

struct token {
	struct module *module; /* borrowed */
	uint32_t id;
	struct token_identity identity; /* never changes */
	struct gate login;		/* who asks for the PIN is alone in it */
	struct gate use;		/* local signatures share it, a remote one is alone */
	pthread_mutex_t begin;		/* who calls C_SignInit is alone in it: gate_lock() */
	pthread_mutex_t lock;		/* everything below */
	pthread_cond_t session_given;	/* or all of them were dropped */
	struct session sessions[TOKEN_SESSIONS_MAX];
	unsigned sessions_max; /* fewer where the token has fewer */
	unsigned generation;   /* sessions of an earlier one are void */
	unsigned logins;       /* how many there were so far */
	unsigned departures;   /* how often it went */
	unsigned login_waiting;
	CK_SLOT_ID slot;
	char location[65]; /* the slot's description */
	CK_FLAGS flags;	   /* as CK_TOKEN_INFO had them last */
	bool present;
	bool owed;   /* it went, and the agent was not told yet */
	bool unread; /* appeared or came back: the keys are to be read */
	bool logged_in;
	bool read_logged_in; /* keys were read with a login once */
	struct key_list keys;
	struct piv_facts card; /* see token_card.h */
	time_t touched_s;      /* when its card was touched last, as far as is known; 0: never */
};

struct token *token_new(struct module *module, uint32_t id, const struct token_identity *identity);
void token_free(struct token **token);

/* C_GetTokenInfo with its texts trimmed. */
CK_RV token_info(struct module *module, CK_SLOT_ID slot, CK_TOKEN_INFO *info,
	struct token_identity *identity);
bool token_identity_equal(const struct token_identity *a, const struct token_identity *b);
/* Copies fixed-size text that is padded with blanks or ended by NUL; out holds len + 1. */
void token_text(char *out, const unsigned char *padded, size_t len);

/* The token as the agent is told of it; borrows the token's texts. Called with lock held. */
struct ks_token token_view(const struct token *token);

/* A read-only look at one key, copied out. False where the token shows no such key. */
bool token_key_handle(struct token *token, struct bytes blob, struct private_key *out);
/* The key's CKA_ID, appended to id. */
void token_key_id(struct token *token, struct bytes blob, struct buf *id);
/* Keeps what private_key_find() found, unless the sessions were dropped since generation. */
void token_key_keep(struct token *token, struct bytes blob, unsigned generation,
	const struct private_key *found);
void token_key_forget(struct token *token, struct bytes blob);

/* generation is that of the session it was made in: a login that is void already is not kept. */
void token_logged_in(struct token *token, unsigned generation);
/* Handles of private objects become void with it (PKCS#11 2.40 section 5.6, C_Logout). */
void token_logged_out(struct token *token);
/* The login found gone was the one of that number: a newer one stands. */
void token_lost_login(struct token *token, unsigned logins);
bool token_is_logged_in(struct token *token);
unsigned token_generation(struct token *token);
bool token_is_present(struct token *token);
unsigned token_departures(struct token *token);
/* False: it did not go since there were that many, and does not within a second. */
bool token_departed(struct token *token, unsigned departures, struct ks_operation *operation);
/* Waits a second for it to be back. */
void token_await_return(struct token *token, struct ks_operation *operation);

/* What token_take_session() came to. */
struct session_result {
	enum ks_error error;
	CK_RV value; /* of C_OpenSession, when that failed: CKR_OK otherwise */
};

/*
 * An idle session, or a new one, or waits for one. *out is the caller's until
 * token_give_session().
 */
KS_MUST_CHECK struct session_result token_take_session(
	struct token *token, struct ks_operation *operation, struct session **out);
/*
 * Not usable: an operation may still be active in it, so it is closed; PKCS#11 has no other way
 * to end one. The token's login survives that.
 */
void token_give_session(struct token *token, struct session *session, bool usable);
/*
 * The sessions of this generation, the login and the private handles are void. Does nothing where
 * somebody else found that out before.
 */
void token_drop_sessions(struct token *token, unsigned generation);

#endif
