/*
 * One signature in one session, and the two ways to it have this in common: the private
 * object, looked for once, then C_SignInit and C_Sign.
 */
#include "sign.h"

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "return_value.h"
#include "token_card.h"

enum ks_error signing_failed(struct signing *signing, const char *call, CK_RV value)
{
	signing->call = call;
	signing->value = value;
	return return_value_error(value);
}

enum ks_error signing_end(struct signing *signing, enum ks_error error)
{
	if (error == KS_OK || signing->value == CKR_OK)
		return error;
	return return_value_failed(signing->login.operation, signing->call, signing->value);
}

enum ks_error signing_take_session(struct signing *signing, struct session **out)
{
	struct token *token = signing->login.token;
	struct session_result taken;

	signing->generation = token_generation(token);
	taken = token_take_session(token, signing->login.operation, out);
	if (taken.error == KS_OK) {
		signing->generation = (*out)->generation;
		signing->logins = (*out)->logins;
	}
	if (taken.value != CKR_OK)
		return signing_failed(signing, "C_OpenSession", taken.value);
	return taken.error;
}

static bool needs_login(struct token *token)
{
	bool needs;

	pthread_mutex_lock(&token->lock);
	needs = (token->flags & CKF_LOGIN_REQUIRED) && !token->logged_in;
	pthread_mutex_unlock(&token->lock);
	return needs;
}

/* The private object is not kept yet: looks for it and keeps it. */
static enum ks_error find_key(
	struct signing *signing, const struct session *session, struct private_key *key)
{
	struct token *token = signing->login.token;
	AUTO(buf)
	id = {0};
	CK_RV value;

	token_key_id(token, signing->request->blob, &id);
	if (buf_status(&id) != KS_OK)
		return KS_NO_MEMORY;
	value = private_key_find(
		token->module, session->handle, signing->request->blob, buf_bytes(&id), key);
	if (value != CKR_OK)
		return signing_failed(signing, "looking for the private key", value);
	if (key->handle != CK_INVALID_HANDLE) {
		token_key_keep(token, signing->request->blob, session->generation, key);
		return KS_OK;
	}
	ks_explain(signing->login.operation,
		"the token shows the public key, but not its private one");
	return KS_NO_KEY;
}

static enum ks_error get_key(
	struct signing *signing, const struct session *session, struct private_key *key)
{
	struct token *token = signing->login.token;
	enum ks_error error;
	bool hidden;

	if (!token_key_handle(token, signing->request->blob, key)) {
		ks_explain(signing->login.operation, "the token does not hold that key");
		return KS_NO_KEY;
	}
	if (key->handle != CK_INVALID_HANDLE)
		return KS_OK;
	hidden = needs_login(token); /* private objects are, from those who are not logged in */
	error = find_key(signing, session, key);
	if (error == KS_NO_KEY && signing->value == CKR_OK && hidden)
		return signing_failed(
			signing, "looking for the private key", CKR_USER_NOT_LOGGED_IN);
	return error;
}

/* CKA_ALWAYS_AUTHENTICATE: a login for this one operation, between C_SignInit and C_Sign. */
static enum ks_error log_in_again(struct signing *signing, const struct session *session)
{
	CK_RV value = login_send(&signing->login, session->handle, CKU_CONTEXT_SPECIFIC);

	return value == CKR_OK ? KS_OK : signing_failed(signing, "C_Login", value);
}

static enum ks_error finish(struct signing *signing, const struct session *session)
{
	struct bytes input = signing->mechanism.input;
	uint8_t raw[SIGNATURE_MAX];
	CK_ULONG len = sizeof(raw);
	CK_RV value;

	value = CALL(signing->login.token->module, C_Sign, session->handle,
		(CK_BYTE *)(uintptr_t)input.data, input.len, raw, &len);
	if (value == CKR_OK && (!len || len > sizeof(raw)))
		value = CKR_BUFFER_TOO_SMALL;
	if (value != CKR_OK)
		return signing_failed(signing, "C_Sign", value);
	return signature_put(signing->signature, signing->request->algorithm, BYTES(raw, len));
}

/*
 * One after the other for a token. It is short where C_Sign is long, but modules lock in it for
 * each little thing (SoftHSM 2.6): of two at once, each would be put to sleep by the other many
 * times.
 */
static enum ks_error begin(
	struct signing *signing, const struct session *session, CK_OBJECT_HANDLE key)
{
	struct token *token = signing->login.token;
	enum ks_error error = gate_lock(&token->begin, signing->login.operation);
	CK_RV value;

	if (error != KS_OK)
		return error;
	value = CALL(
		token->module, C_SignInit, session->handle, &signing->mechanism.mechanism, key);
	pthread_mutex_unlock(&token->begin);
	return value == CKR_OK ? KS_OK : signing_failed(signing, "C_SignInit", value);
}

static enum ks_error sign(
	struct signing *signing, const struct session *session, const struct private_key *key)
{
	enum ks_error error = begin(signing, session, key->handle);

	if (error == KS_OK && key->always_pin)
		error = log_in_again(signing, session);
	if (error == KS_OK)
		error = finish(signing, session);
	if (error == KS_OK)
		token_card_signed(signing->login.token, signing->request->blob);
	return error;
}

static enum ks_error announce_touch(struct signing *signing)
{
	struct token *token = signing->login.token;
	struct ks_token view;

	pthread_mutex_lock(&token->lock);
	view = token_view(token); /* its texts change under scan alone, or never */
	pthread_mutex_unlock(&token->lock);
	return ks_touch_awaited(signing->login.operation, &view);
}

enum ks_error signing_make(struct signing *signing, const struct session *session)
{
	struct private_key key = {0};
	enum ks_error error;

	error = get_key(signing, session, &key);
	if (error != KS_OK)
		return error;
	if (key.always_pin && !login_has_pin(&signing->login)) {
		signing->wants_pin = true;
		return KS_PIN_NEEDED;
	}
	/* Who has just typed a PIN for it sees the light; from afar the notice would take its time.
	 */
	if (login_has_pin(&signing->login) && signing->request->demand != KS_PRESENCE_NONE)
		return sign(signing, session, &key);
	if (!token_card_wants_touch(signing->login.token, signing->request->blob))
		return sign(signing, session, &key);
	error = announce_touch(signing);
	if (error != KS_OK)
		return error;
	error = sign(signing, session, &key);
	ks_touch_over(signing->login.operation);
	if (error == KS_OK && (signing->request->demand & KS_PRESENCE_TOUCH) != 0 &&
		token_card_always_touched(signing->login.token, signing->request->blob))
		ks_presence_given(signing->login.operation, KS_PRESENCE_TOUCH);
	return error;
}
