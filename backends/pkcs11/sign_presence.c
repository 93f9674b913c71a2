/*
 * A signature that demands a PIN of its own (DESIGN section 6): the PIN is in hand first, the
 * token is had alone, whatever login there was is ended and seen to have ended, and the login with
 * this PIN ends with the signature. Local requests have to log in again afterwards: that is
 * intended, a login must not outlive what it was typed for.
 */
#include "sign.h"

#include <keystile/log.h>

#include "return_value.h"
#include "token_card.h"

/* Sessions found void before the PIN was sent are opened again, once. */
#define ATTEMPTS 2

static enum ks_error log_out(struct signing *signing, const struct session *session)
{
	CK_RV value = CALL(signing->login.token->module, C_Logout, session->handle);

	token_logged_out(signing->login.token);
	if (value != CKR_OK && value != CKR_USER_NOT_LOGGED_IN)
		return signing_failed(signing, "C_Logout", value);
	return KS_OK;
}

/* That C_Logout worked is not believed but looked at: all sessions of a token share the state. */
static enum ks_error confirm_public(struct signing *signing, const struct session *session)
{
	CK_SESSION_INFO info = {.state = CKS_RW_SO_FUNCTIONS};
	CK_RV value;

	value = CALL(signing->login.token->module, C_GetSessionInfo, session->handle, &info);
	if (value != CKR_OK)
		return signing_failed(signing, "C_GetSessionInfo", value);
	if (info.state == CKS_RO_PUBLIC_SESSION || info.state == CKS_RW_PUBLIC_SESSION)
		return KS_OK;
	log_warning("the module is still logged in after C_Logout (state %lu)", info.state);
	ks_explain(signing->login.operation,
		"the module does not log out, so a PIN could not be proven");
	return KS_DEVICE_FAILED;
}

static enum ks_error log_in(struct signing *signing, const struct session *session)
{
	CK_RV value = login_send(&signing->login, session->handle, CKU_USER);

	if (value != CKR_OK)
		return signing_failed(signing, "C_Login", value);
	token_logged_in(signing->login.token, session->generation);
	return KS_OK;
}

static enum ks_error run(struct signing *signing, const struct session *session, bool *sent)
{
	enum ks_error error = log_out(signing, session);

	if (error == KS_OK)
		error = confirm_public(signing, session);
	if (error == KS_OK) {
		token_card_tries(signing->login.provider, signing->login.token);
		error = login_guard(&signing->login);
	}
	if (error != KS_OK)
		return error;
	*sent = true;
	error = log_in(signing, session);
	return error == KS_OK ? signing_make(signing, session) : error;
}

/* Ends the login of this request. What can't be logged out loses all its sessions. */
static void end_login(struct signing *signing, const struct session *session)
{
	CK_RV value = CALL(signing->login.token->module, C_Logout, session->handle);
	char name[32];

	token_logged_out(signing->login.token);
	if (value == CKR_OK || value == CKR_USER_NOT_LOGGED_IN)
		return;
	log_warning("C_Logout: %s: closing the token's sessions", return_value_name(value, name));
	token_drop_sessions(signing->login.token, session->generation);
}

static enum ks_error try_alone(struct signing *signing, bool *sent)
{
	struct token *token = signing->login.token;
	struct session *session = NULL;
	enum ks_error error;

	signing->value = CKR_OK;
	error = gate_enter_alone(&token->use, signing->login.operation);
	if (error != KS_OK)
		return error;
	error = signing_take_session(signing, &session);
	if (error == KS_OK) {
		error = run(signing, session, sent);
		end_login(signing, session);
		token_give_session(token, session, error == KS_OK);
	}
	gate_leave(&token->use);
	return error;
}

/* The PIN is in hand. It is sent once at the most. */
static enum ks_error use_pin(struct signing *signing)
{
	enum ks_error error = KS_OK;
	bool sent = false;

	for (int i = 0; i < ATTEMPTS; i++) {
		error = try_alone(signing, &sent);
		if (error == KS_OK || sent || i + 1 == ATTEMPTS ||
			return_value_remedy(signing->value) != REMEDY_REOPEN)
			break;
		error = provider_recover(signing->login.provider, signing->login.token,
			signing->generation, signing->login.operation);
		if (error != KS_OK)
			return error;
	}
	return signing_end(signing, error);
}

/* All refusals that need no human come first. */
static enum ks_error check(struct signing *signing)
{
	struct ks_operation *operation = signing->login.operation;
	struct token *token = signing->login.token;
	struct private_key key;
	CK_FLAGS flags;

	if (!token_key_handle(token, signing->request->blob, &key)) {
		ks_explain(operation, "the token does not hold that key");
		return KS_NO_KEY;
	}
	pthread_mutex_lock(&token->lock);
	flags = token->flags;
	pthread_mutex_unlock(&token->lock);
	if (!(flags & CKF_LOGIN_REQUIRED)) {
		ks_explain(operation,
			"this token takes no PIN, so nothing proves that somebody is there");
		return KS_UNSUPPORTED;
	}
	if (flags & CKF_PROTECTED_AUTHENTICATION_PATH) {
		ks_explain(operation, "this reader takes the PIN on its own keys, and nothing "
				      "proves for which request it was typed");
		return KS_UNSUPPORTED;
	}
	return KS_OK;
}

enum ks_error sign_with_presence(struct signing *signing)
{
	enum ks_error error = check(signing);

	if (error != KS_OK)
		return error;
	do {
		error = login_ask(&signing->login);
		if (error == KS_OK)
			error = use_pin(signing);
	} while (error == KS_PIN_WRONG && signing->login.asked < LOGIN_TRIES);
	provider_report(signing->login.provider, signing->login.token);
	if (error == KS_OK)
		ks_presence_given(signing->login.operation, KS_PRESENCE_PIN);
	return error;
}
