/*
 * The PKCS#11 backend: one module per worker, smartcards and tokens of every make. The
 * functions here are what the worker calls; each hands on to the file that does the work.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/backend.h>
#include <keystile/log.h>

#include "idle.h"
#include "provider.h"
#include "reader_trouble.h"
#include "return_value.h"
#include "sign.h"
#include "token_card.h"
#include "watch.h"

/*
 * More than a token's sessions: those that wait for somebody to type a PIN do nothing, and
 * must not keep the module's other tokens waiting.
 */
#define PARALLEL 16

extern KS_NEEDS(pkcs11);

static void pkcs11_close(void *state)
{
	struct provider *provider = state;

	if (!provider)
		return;
	watch_stop(provider->watch);
	idle_stop(provider);
	provider_deinit(provider);
	free(provider);
}

static enum ks_error pkcs11_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	struct provider *provider = calloc(1, sizeof(*provider));
	enum ks_error error;

	if (!provider)
		return KS_NO_MEMORY;
	provider_init(provider, worker);
	error = uri_of(canonical, &provider->uri);
	if (error == KS_OK)
		error = module_open(&provider->module, operation, uri_module_path(canonical));
	if (error != KS_OK) {
		pkcs11_close(provider);
		return error;
	}
	if (!card_library_find(&provider->cards))
		log_debug("the module speaks with no cards");
	provider->watch = watch_start(provider);
	provider->module.in_readers = provider->watch != NULL;
	if (provider->watch)
		idle_start(provider);
	*state = provider;
	return KS_OK;
}

static bool has_token(struct provider *provider)
{
	bool any = false;

	pthread_mutex_lock(&provider->lock);
	for (size_t i = 0; i < provider->count; i++)
		any |= token_is_present(provider->tokens[i]);
	pthread_mutex_unlock(&provider->lock);
	return any;
}

static enum ks_error pkcs11_list(void *state, struct ks_operation *operation)
{
	enum ks_error error = provider_enter(state, operation);

	if (error != KS_OK)
		return error;
	error = provider_refresh(state, operation, REFRESH_ALL);
	if (error == KS_OK && !has_token(state))
		reader_trouble_explain(operation, NULL);
	provider_leave(state);
	return error;
}

/* The one token that can be meant by a PIN of which nobody said where it belongs, or NULL. */
static struct token *only_token_with_pin(struct provider *provider)
{
	struct token *only = NULL;
	unsigned count = 0;

	pthread_mutex_lock(&provider->lock);
	for (size_t i = 0; i < provider->count; i++) {
		struct token *token = provider->tokens[i];

		pthread_mutex_lock(&token->lock);
		if (token->present && (token->flags & CKF_LOGIN_REQUIRED)) {
			count++;
			only = token;
		}
		if (token->present && (token->flags & CKF_PROTECTED_AUTHENTICATION_PATH))
			count = 2; /* typed at the reader, if anywhere */
		pthread_mutex_unlock(&token->lock);
	}
	pthread_mutex_unlock(&provider->lock);
	if (count == 1)
		return only;
	log_warning("the PIN is not used: it is not clear for which token it was typed; it "
		    "will be asked for when a key is first used");
	return NULL;
}

static enum ks_error log_in(
	struct provider *provider, struct ks_operation *operation, const struct secret *pin)
{
	struct login login = {.provider = provider, .operation = operation};
	enum ks_error error = provider_refresh(provider, operation, REFRESH_ALL);

	if (error != KS_OK)
		return error;
	login.token = only_token_with_pin(provider);
	if (!login.token) {
		if (!has_token(provider))
			reader_trouble_explain(operation, NULL);
		return KS_OK;
	}
	error = login_with(&login, pin);
	login_deinit(&login);
	return error;
}

static enum ks_error pkcs11_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	enum ks_error error = provider_enter(state, operation);

	if (error != KS_OK)
		return error;
	error = log_in(state, operation, pin);
	provider_leave(state);
	return error;
}

/*
 * A touch for this very signature is presence, whoever has logged in before. Where nobody has,
 * or the key wants its PIN each time, the PIN is asked for, and shall end with the request.
 */
static bool touch_will_do(const struct signing *signing)
{
	return (signing->request->demand & KS_PRESENCE_TOUCH) != 0 &&
	       token_card_always_touched(signing->login.token, signing->request->blob) &&
	       token_is_logged_in(signing->login.token);
}

static enum ks_error sign_inside(struct signing *signing)
{
	struct login *login = &signing->login;
	enum ks_error error = provider_require(login->provider, login->token, login->operation);

	if (error != KS_OK)
		return error;
	if (signing->request->demand == KS_PRESENCE_NONE || touch_will_do(signing))
		return sign_locally(signing);
	return sign_with_presence(signing);
}

static enum ks_error sign_once(struct signing *signing)
{
	struct login *login = &signing->login;
	enum ks_error error = provider_enter(login->provider, login->operation);

	if (error != KS_OK)
		return error;
	error = sign_inside(signing);
	provider_leave(login->provider);
	return error;
}

/*
 * A card may have been out for a moment, of which the news may come after the failure, or have lost
 * its power while the machine slept, of which no news come. True where it is to be tried again.
 */
static bool card_may_be_back(struct login *login, unsigned departures, enum ks_error error)
{
	if (!login->provider->watch)
		return false;
	if (error != KS_DEVICE_FAILED && error != KS_NO_TOKEN && error != KS_NO_KEY)
		return false;
	if (token_departed(login->token, departures, login->operation))
		token_await_return(login->token, login->operation);
	else if (error == KS_DEVICE_FAILED)
		provider_wear(login->provider);
	else
		return false;
	return !ks_cancelled(login->operation);
}

/* Nobody is inside between the two: the module can begin anew. The PIN is asked for anew as well.
 */
static enum ks_error sign(struct signing *signing)
{
	struct login *login = &signing->login;
	unsigned departures = token_departures(login->token);
	enum ks_error error = sign_once(signing);

	if (!card_may_be_back(login, departures, error))
		return error;
	secret_deinit(&login->pin);
	login->sent = 0;
	return sign_once(signing);
}

/* A module knows that it can't reach the card, at best; PC/SC knows why. */
static enum ks_error explain_reader(struct login *login, enum ks_error error)
{
	struct token *token = login->token;
	char location[sizeof(token->location)];

	if (!token->module->in_readers || (error != KS_DEVICE_FAILED && error != KS_NO_TOKEN))
		return error;
	pthread_mutex_lock(&token->lock);
	memcpy(location, token->location, sizeof(location));
	pthread_mutex_unlock(&token->lock);
	/* What else failed with a card that is there was said already. */
	if (token_is_present(token) && reader_trouble_at(location) == READER_FULL)
		return error;
	return reader_trouble_explain(login->operation, location) == READER_HELD ? KS_HELD : error;
}

static enum ks_error pkcs11_sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	struct signing signing = {.login = {.provider = state, .operation = operation},
		.request = request,
		.signature = signature};
	enum ks_error error;

	error = mechanism_prepare(&signing.mechanism, operation, request);
	if (error == KS_OK)
		error = provider_token(state, operation, request->token, &signing.login.token);
	if (error != KS_OK)
		return error;
	error = sign(&signing);
	login_deinit(&signing.login);
	return explain_reader(&signing.login, error);
}

static enum ks_error release(
	struct provider *provider, struct token *token, struct ks_operation *operation)
{
	struct session *session = NULL;
	struct session_result taken;
	enum ks_error error = gate_enter_alone(&token->use, operation);

	if (error != KS_OK)
		return error;
	/* Closing the last session ends the login; modules that forget it are told. */
	if (token_is_logged_in(token)) {
		taken = token_take_session(token, operation, &session);
		if (taken.error == KS_OK) {
			CALL(token->module, C_Logout, session->handle);
			token_give_session(token, session, true);
		}
	}
	token_drop_sessions(token, token_generation(token));
	gate_leave(&token->use);
	provider_report(provider, token);
	return KS_OK;
}

static enum ks_error pkcs11_release(void *state, struct ks_operation *operation, uint32_t id)
{
	struct token *token;
	enum ks_error error = provider_token(state, operation, id, &token);

	if (error == KS_OK)
		error = provider_enter(state, operation);
	if (error != KS_OK)
		return error;
	error = release(state, token, operation);
	provider_leave(state);
	provider_rest(state);
	return error;
}

KS_BACKEND(pkcs11) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_pkcs11,
	.parallel = PARALLEL,
	.locate = uri_locate,
	.open = pkcs11_open,
	.list = pkcs11_list,
	.login = pkcs11_login,
	.sign = pkcs11_sign,
	.release = pkcs11_release,
	.close = pkcs11_close,
};
