/*
 * PINs: who is asked, what is checked before one is sent, and what becomes of it. The law
 * (DESIGN: invariant 8): the last try is never spent, a wrong PIN is never sent again, no PIN
 * goes to another token than the one it was typed for.
 */
#ifndef KEYSTILE_PKCS11_LOGIN_H
#define KEYSTILE_PKCS11_LOGIN_H

#include "provider.h"

/* PINs that a person may type for one request, each after a wrong one. */
#define LOGIN_TRIES 3

/* One request's dealings with a token. */
struct login {
	struct provider *provider;
	struct token *token;
	struct ks_operation *operation;
	struct secret pin;   /* typed for this request and right, or not sent yet; may be empty */
	unsigned departures; /* the token's, when it was typed */
	unsigned asked;	     /* how often the person was */
	unsigned sent;	     /* how often a PIN was */
	bool was_wrong;	     /* the PIN before */
	struct secret wrong[LOGIN_TRIES]; /* those that the token refused */
	unsigned wrong_count;
};

void login_deinit(struct login *login);

/*
 * To be called before every PIN is asked for and again before it is sent: the same token
 * is still in its slot, since the PIN in hand was typed, and has more than one try left.
 * KS_PIN_LAST_TRY, KS_PIN_BLOCKED, KS_NO_TOKEN. A PIN in hand that the token calls too short or too
 * long is KS_PIN_WRONG without having been sent, and wiped. Words are given.
 */
KS_MUST_CHECK enum ks_error login_guard(struct login *login);
/*
 * Asks the person, after login_guard(), and keeps what was typed in login->pin. Once LOGIN_TRIES
 * are used up: KS_PIN_WRONG, or KS_PIN_NEEDED when they were right and it did not help. One that
 * was wrong already is KS_PIN_WRONG without having been sent.
 */
KS_MUST_CHECK enum ks_error login_ask(struct login *login);
/*
 * C_Login with login->pin, which must not be empty. The PIN is taken away when it was wrong, so
 * that it can't be sent again.
 */
CK_RV login_send(struct login *login, CK_SESSION_HANDLE session, CK_USER_TYPE user);
/* One that was typed before the token went is wiped: it is not for the one that came back. */
bool login_has_pin(struct login *login);
/* True for the return values by which a token says that the PIN was not the right one. */
bool login_was_wrong(CK_RV value);

/*
 * Logs in for a local request: asks until the PIN is right, unless somebody else does at the
 * moment and succeeds. The PIN stays in login->pin, for a key that wants it again, and for the
 * case that a remote request logs out before the local one had its turn.
 */
KS_MUST_CHECK enum ks_error login_locally(struct login *login);
/* Logs in with a PIN that was given ahead of time, once. */
KS_MUST_CHECK enum ks_error login_with(struct login *login, const struct secret *pin);

#endif
