/*
 * Logs in to a token so that local requests can be served until somebody logs out again or
 * the token goes. One person is asked once, however many requests wait.
 */
#include "login.h"

#include <string.h>

#include <keystile/log.h>
#include <keystile/secret.h>

#include "return_value.h"
#include "token_card.h"

/* Requests that may wait for one PIN; more would keep the module's other tokens waiting. */
#define WAITING_MAX 8

/* PIN pads: the PIN is typed at the reader, so all that can be done is to say so. */
static CK_RV send_by_pad(struct login *login, CK_SESSION_HANDLE session)
{
	login->sent++;
	return CALL(login->token->module, C_Login, session, CKU_USER, NULL, 0UL);
}

/*
 * A login that is there although it was not made here proves nothing about the PIN and may be as
 * void as the state it was found in: it is ended, and the PIN, which was not looked at, sent once
 * more.
 */
static CK_RV send(struct login *login, CK_SESSION_HANDLE session, bool pad)
{
	CK_RV value = pad ? send_by_pad(login, session) : login_send(login, session, CKU_USER);

	if (value != CKR_USER_ALREADY_LOGGED_IN)
		return value;
	CALL(login->token->module, C_Logout, session);
	return pad ? send_by_pad(login, session) : login_send(login, session, CKU_USER);
}

/* One C_Login in a session of its own; *generation is that of the session. */
static enum ks_error send_once(struct login *login, bool pad, unsigned *generation, CK_RV *value)
{
	struct token *token = login->token;
	struct session_result taken;
	struct session *session;

	*generation = token_generation(token);
	taken = token_take_session(token, login->operation, &session);
	*value = taken.value;
	if (taken.error != KS_OK)
		return taken.error;
	*generation = session->generation;
	*value = send(login, session->handle, pad);
	if (*value == CKR_OK)
		token_logged_in(token, session->generation);
	token_give_session(token, session, *value == CKR_OK);
	return return_value_error(*value);
}

/*
 * Sends the PIN, and once more where the session was void: the token did not see it then. The
 * guard runs before each. Alone, as there are modules that mix up a login with other calls.
 */
static enum ks_error send_pin(struct login *login, bool pad)
{
	enum ks_error error = KS_OK;
	unsigned generation = 0;
	CK_RV value = CKR_OK;

	for (int i = 0; i < 2; i++) {
		error = gate_enter_alone(&login->token->use, login->operation);
		if (error != KS_OK)
			return error;
		value = CKR_OK;
		generation = token_generation(login->token);
		token_card_tries(login->provider, login->token);
		error = login_guard(login);
		if (error == KS_OK)
			error = send_once(login, pad, &generation, &value);
		gate_leave(&login->token->use);
		if (error != KS_NO_TOKEN || i || (!pad && !login_has_pin(login)))
			break;
		error = provider_recover(
			login->provider, login->token, generation, login->operation);
		if (error != KS_OK)
			return error;
	}
	return value == CKR_OK ? error : return_value_failed(login->operation, "C_Login", value);
}

/* A PIN in hand was right when it was sent before, or is still to be sent. */
static enum ks_error ask_and_send(struct login *login)
{
	enum ks_error error;

	do {
		error = login_has_pin(login) ? KS_OK : login_ask(login);
		if (error == KS_OK)
			error = send_pin(login, false);
	} while (error == KS_PIN_WRONG && login->asked < LOGIN_TRIES);
	return error;
}

static enum ks_error notice_and_send(struct login *login)
{
	struct ks_token view;
	enum ks_error error = login_guard(login);

	if (error != KS_OK)
		return error;
	pthread_mutex_lock(&login->token->lock);
	view = token_view(login->token);
	pthread_mutex_unlock(&login->token->lock);
	error = ks_touch_awaited(login->operation, &view);
	if (error != KS_OK)
		return error;
	error = send_pin(login, true);
	ks_touch_over(login->operation);
	if (error == KS_OK)
		ks_presence_given(login->operation, KS_PRESENCE_PIN_PAD);
	return error;
}

static bool has_pad(struct token *token)
{
	bool pad;

	pthread_mutex_lock(&token->lock);
	pad = token->flags & CKF_PROTECTED_AUTHENTICATION_PATH;
	pthread_mutex_unlock(&token->lock);
	return pad;
}

/* Keys that only a login shows are read now, once. */
static void after_login(struct login *login)
{
	struct token *token = login->token;
	bool read;

	pthread_mutex_lock(&token->lock);
	read = token->read_logged_in;
	pthread_mutex_unlock(&token->lock);
	if (read)
		provider_report(login->provider, token);
	else if (provider_read_keys(login->provider, token, login->operation) != KS_OK)
		log_info("the token's keys could not be read after the login");
}

static enum ks_error join_queue(struct token *token, struct ks_operation *operation)
{
	bool full;

	pthread_mutex_lock(&token->lock);
	full = token->login_waiting >= WAITING_MAX;
	if (!full)
		token->login_waiting++;
	pthread_mutex_unlock(&token->lock);
	if (!full)
		return KS_OK;
	ks_explain(operation, "too many requests wait for this token's PIN already");
	return KS_BUSY;
}

static void leave_queue(struct token *token)
{
	pthread_mutex_lock(&token->lock);
	token->login_waiting--;
	pthread_mutex_unlock(&token->lock);
}

static enum ks_error log_in_alone(struct login *login)
{
	enum ks_error error = gate_enter_alone(&login->token->login, login->operation);

	if (error != KS_OK)
		return error;
	if (!token_is_logged_in(login->token)) {
		error = has_pad(login->token) ? notice_and_send(login) : ask_and_send(login);
		if (error == KS_OK)
			after_login(login);
	}
	gate_leave(&login->token->login);
	return error;
}

enum ks_error login_locally(struct login *login)
{
	enum ks_error error = join_queue(login->token, login->operation);

	if (error != KS_OK)
		return error;
	error = log_in_alone(login);
	leave_queue(login->token);
	return error;
}

static enum ks_error take_copy(struct login *login, const struct secret *pin)
{
	enum ks_error error = secret_init(&login->pin, pin->len);

	if (error != KS_OK)
		return error;
	login->departures = token_departures(login->token);
	memcpy(login->pin.data, pin->data, pin->len);
	login->pin.len = pin->len;
	return KS_OK;
}

enum ks_error login_with(struct login *login, const struct secret *pin)
{
	enum ks_error error = gate_enter_alone(&login->token->login, login->operation);

	if (error != KS_OK)
		return error;
	if (!token_is_logged_in(login->token)) {
		error = take_copy(login, pin);
		if (error == KS_OK)
			error = send_pin(login, false);
		if (error == KS_OK)
			after_login(login);
	}
	gate_leave(&login->token->login);
	return error;
}
