/*
 * Checks what can be checked before a PIN is spent, asks for it, and sends it.
 */
#include "login.h"

#include <string.h>

#include <keystile/log.h>
#include <keystile/secret.h>

#include "return_value.h"
#include "token_card.h"

void login_deinit(struct login *login)
{
	secret_deinit(&login->pin);
	for (unsigned i = 0; i < LOGIN_TRIES; i++)
		secret_deinit(&login->wrong[i]);
	login->wrong_count = 0;
}

bool login_has_pin(struct login *login)
{
	if (login->pin.len > 0 && token_departures(login->token) != login->departures)
		secret_deinit(&login->pin);
	return login->pin.len > 0;
}

bool login_was_wrong(CK_RV value)
{
	return return_value_error(value) == KS_PIN_WRONG;
}

/* What the token's flags say before a PIN is spent, and the card where it was asked. */
static enum ks_error judge(struct ks_operation *operation, CK_FLAGS flags, int32_t tries)
{
	if ((flags & CKF_USER_PIN_LOCKED) || tries == 0) {
		ks_explain(
			operation, "the PIN is blocked; unblock it with the token's own program");
		return KS_PIN_BLOCKED;
	}
	if ((flags & CKF_USER_PIN_FINAL_TRY) || tries == 1) {
		ks_explain(operation, "only one PIN try is left, and it is not spent here; log in "
				      "once with the token's own program");
		return KS_PIN_LAST_TRY;
	}
	if (flags & CKF_USER_PIN_COUNT_LOW)
		ks_progress(operation, "the PIN before was wrong: few tries are left");
	return KS_OK;
}

/* Reads what is in the token's slot now; KS_NO_TOKEN when that is another token. */
static enum ks_error look(struct login *login, CK_TOKEN_INFO *info, CK_RV *value)
{
	struct token *token = login->token;
	struct token_identity identity;
	CK_SLOT_ID slot;

	pthread_mutex_lock(&token->lock);
	slot = token->slot;
	pthread_mutex_unlock(&token->lock);
	*value = token_info(token->module, slot, info, &identity);
	if (*value != CKR_OK)
		return return_value_error(*value);
	if (!token_identity_equal(&identity, &token->identity))
		return KS_NO_TOKEN;
	pthread_mutex_lock(&token->lock);
	token->flags = info->flags;
	pthread_mutex_unlock(&token->lock);
	return KS_OK;
}

/* Limits that make no sense are taken for unknown. */
static bool length_fits(const CK_TOKEN_INFO *info, size_t len)
{
	if (info->ulMaxPinLen == 0 || info->ulMaxPinLen == CK_UNAVAILABLE_INFORMATION ||
		info->ulMinPinLen > info->ulMaxPinLen)
		return true;
	return len >= info->ulMinPinLen && len <= info->ulMaxPinLen;
}

static enum ks_error check_length(struct login *login, const CK_TOKEN_INFO *info)
{
	if (length_fits(info, login->pin.len))
		return KS_OK;
	secret_deinit(&login->pin);
	login->was_wrong = true;
	ks_explain(login->operation,
		"a PIN of this token has %lu to %lu characters; nothing was sent to it",
		info->ulMinPinLen, info->ulMaxPinLen);
	return KS_PIN_WRONG;
}

static int32_t tries_left(struct token *token)
{
	int32_t tries;

	pthread_mutex_lock(&token->lock);
	tries = token->card.tries;
	pthread_mutex_unlock(&token->lock);
	return tries;
}

static enum ks_error another_token(struct ks_operation *operation)
{
	log_warning("another token is in the slot");
	ks_explain(operation, "another token is in its place; put it back and try again");
	return KS_NO_TOKEN;
}

enum ks_error login_guard(struct login *login)
{
	bool had_pin = login->pin.len > 0;
	CK_TOKEN_INFO info;
	CK_RV value;
	enum ks_error error = look(login, &info, &value);

	if (had_pin && !login_has_pin(login)) {
		ks_explain(login->operation,
			"the token was taken out after its PIN was typed; nothing was sent to it");
		return KS_NO_TOKEN;
	}

	if (error == KS_OK)
		error = judge(login->operation, info.flags, tries_left(login->token));
	else if (value == CKR_OK)
		return another_token(login->operation);
	if (value != CKR_OK)
		return return_value_failed(login->operation, "C_GetTokenInfo", value);
	if (error == KS_OK && login_has_pin(login))
		error = check_length(login, &info);
	return error;
}

static bool is_known_wrong(const struct login *login)
{
	for (unsigned i = 0; i < login->wrong_count; i++)
		if (login->wrong[i].len == login->pin.len &&
			memcmp(login->wrong[i].data, login->pin.data, login->pin.len) == 0)
			return true;
	return false;
}

static void take_wrong_pin(struct login *login)
{
	if (login->wrong_count < LOGIN_TRIES && login->pin.len > 0) {
		login->wrong[login->wrong_count++] = login->pin;
		login->pin = (struct secret){0};
	}
	secret_deinit(&login->pin);
}

/* A prompt program that remembers the PIN must not spend the tries. */
static enum ks_error take_answer(struct login *login)
{
	if (!login->pin.len)
		return KS_REFUSED;
	if (!is_known_wrong(login))
		return KS_OK;
	secret_deinit(&login->pin);
	login->was_wrong = true;
	ks_explain(login->operation, "it was the same wrong PIN again; that was not sent");
	return KS_PIN_WRONG;
}

enum ks_error login_ask(struct login *login)
{
	struct token *token = login->token;
	struct ks_token view;
	enum ks_error error;

	secret_deinit(&login->pin);
	if (login->asked >= LOGIN_TRIES)
		return login->was_wrong ? KS_PIN_WRONG : KS_PIN_NEEDED;
	token_card_try_tries(login->provider, token);
	error = login_guard(login);
	if (error != KS_OK)
		return error;
	pthread_mutex_lock(&token->lock);
	view = token_view(token); /* its texts change under scan alone, or never */
	pthread_mutex_unlock(&token->lock);
	login->asked++;
	login->departures = token_departures(token);
	error = ks_ask_pin(login->operation, &view, login->was_wrong, &login->pin);
	return error == KS_OK ? take_answer(login) : error;
}

CK_RV login_send(struct login *login, CK_SESSION_HANDLE session, CK_USER_TYPE user)
{
	CK_RV value = CALL(login->token->module, C_Login, session, user, login->pin.data,
		(CK_ULONG)login->pin.len);

	login->sent++;
	token_card_forget_tries(login->token);
	login->was_wrong = login_was_wrong(value);
	if (login->was_wrong || return_value_error(value) == KS_PIN_BLOCKED)
		take_wrong_pin(login);
	return value;
}
