/*
 * A signature for somebody at this machine: with a login that is open, in a session that
 * is open, it is two calls. Everything else here is what happens when one of these is not so: the
 * PIN is asked for, or what went void is looked for again.
 */
#include "sign.h"

#include <keystile/log.h>

#include "return_value.h"

/* Void sessions, handles and stuck operations that are mended for one request. */
#define MENDS_MAX 2
/*
 * PINs sent for one request: wrong ones, and again after others logged out before it had its
 * turn. To have waited for somebody else's login does not count.
 */
#define SENT_MAX (LOGIN_TRIES + 2)

/* One try, in the company of other local requests. */
static enum ks_error try_once(struct signing *signing)
{
	struct token *token = signing->login.token;
	struct session *session = NULL;
	enum ks_error error;

	signing->value = CKR_OK;
	signing->wants_pin = false;
	error = gate_enter(&token->use, signing->login.operation);
	if (error != KS_OK)
		return error;
	error = signing_take_session(signing, &session);
	if (error == KS_OK) {
		error = signing_make(signing, session);
		token_give_session(token, session, error == KS_OK || error == KS_PIN_NEEDED);
	}
	gate_leave(&token->use);
	return error;
}

/*
 * The key wants a PIN for this signature. Asked for before anything is begun, so that no
 * operation waits for a person.
 */
static enum ks_error ask_for_key(struct signing *signing)
{
	struct login *login = &signing->login;
	struct token *token = login->token;
	enum ks_error error = gate_enter_alone(&token->login, login->operation);

	if (error != KS_OK)
		return error;
	do {
		error = login_ask(login);
		if (error == KS_OK)
			error = login_guard(login);
	} while (error == KS_PIN_WRONG && login->asked < LOGIN_TRIES);
	gate_leave(&token->login);
	return error;
}

static enum ks_error log_in(struct signing *signing)
{
	token_lost_login(signing->login.token, signing->logins);
	return login_locally(&signing->login);
}

static enum ks_error mend(struct signing *signing)
{
	struct token *token = signing->login.token;
	char name[32];

	log_info("%s: %s: trying again", signing->call, return_value_name(signing->value, name));
	switch (return_value_remedy(signing->value)) {
	case REMEDY_REOPEN:
		return provider_recover(signing->login.provider, token, signing->generation,
			signing->login.operation);
	case REMEDY_FIND_OBJECT:
		token_key_forget(token, signing->request->blob);
		return KS_OK;
	default: /* the session was closed already */
		return KS_OK;
	}
}

/* What to do before the next try. */
enum next_step { STEP_END, STEP_ASK, STEP_LOG_IN, STEP_MEND };

static enum next_step next_step(const struct signing *signing, enum ks_error error)
{
	if (error == KS_OK)
		return STEP_END;
	if (signing->wants_pin || login_was_wrong(signing->value))
		return STEP_ASK;
	switch (return_value_remedy(signing->value)) {
	case REMEDY_LOG_IN:
		return STEP_LOG_IN;
	case REMEDY_NONE:
		return STEP_END;
	default:
		return STEP_MEND;
	}
}

enum ks_error sign_locally(struct signing *signing)
{
	unsigned mends = 0;
	enum ks_error error;

	for (;;) {
		error = try_once(signing);
		switch (next_step(signing, error)) {
		case STEP_ASK:
			if (signing->request->demand != KS_PRESENCE_NONE)
				return sign_with_presence(signing);
			if (signing->login.asked >= LOGIN_TRIES)
				return signing_end(signing, error);
			error = ask_for_key(signing);
			break;
		case STEP_LOG_IN:
			if (signing->request->demand != KS_PRESENCE_NONE)
				return sign_with_presence(signing);
			if (signing->login.sent >= SENT_MAX)
				return signing_end(signing, error);
			error = log_in(signing);
			break;
		case STEP_MEND:
			if (mends++ >= MENDS_MAX)
				return signing_end(signing, error);
			error = mend(signing);
			break;
		default:
			return signing_end(signing, error);
		}
		if (error != KS_OK)
			return error;
	}
}
