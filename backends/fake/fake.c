/*
 * The fake backend: the shortest complete one, which docs/adding-a-backend.md walks through. Its
 * tokens live in memory and their keys follow from the provider's name, so THEY PROTECT
 * NOTHING: it is for tests. "fake:demo,keys=2,pin=once" is a provider; options.c lists the
 * options, misbehave.c what can be asked of it that no backend should do.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>

#include "keys.h"
#include "misbehave.h"
#include "options.h"
#include "token.h"

struct fake {
	struct ks_worker *worker;
	struct fake_options options;
	pthread_mutex_t lock; /* what changes in the tokens: functions run in parallel */
	struct fake_token tokens[16];
};

/* ---- Telling the agent ---- */

/* Under the lock. */
static struct ks_token describe(const struct fake *fake, const struct fake_token *token)
{
	struct ks_token told = {.id = token->id,
		.label = misbehave_label(fake->options.labels),
		.serial = "0000",
		.model = "fake token, protects nothing",
		.location = "memory",
		.tries_left = KS_TRIES_UNKNOWN};

	if (told.label == NULL)
		told.label = token->label;
	if (fake->options.pin == FAKE_PIN_NONE)
		return told;
	told.tries_left = (int32_t)token->tries_left;
	told.flags = KS_TOKEN_NEEDS_LOGIN;
	if (token->logged_in)
		told.flags |= KS_TOKEN_LOGGED_IN;
	if (token->tries_left == 0)
		told.flags |= KS_TOKEN_PIN_BLOCKED;
	if (token->tries_left == 1)
		told.flags |= KS_TOKEN_LAST_TRY;
	return told;
}

/* Under the lock. */
static void report(const struct fake *fake, const struct fake_token *token)
{
	const struct ks_token told = describe(fake, token);
	struct ks_key *keys = calloc(token->key_count + 1, sizeof(*keys));
	const char *label = misbehave_label(fake->options.labels);

	if (keys == NULL)
		return;
	for (size_t i = 0; i < token->key_count; i++) {
		keys[i].blob = buf_bytes(&token->keys[i].blob);
		keys[i].label = label != NULL ? label : token->keys[i].label;
		if (fake->options.pin == FAKE_PIN_ALWAYS)
			keys[i].flags |= KS_KEY_ALWAYS_PIN;
		if (fake->options.touch != FAKE_TOUCH_NONE)
			keys[i].flags |= KS_KEY_ALWAYS_TOUCH;
	}
	ks_token_is(fake->worker, &told, keys, token->key_count);
	free(keys);
}

/* ---- Presence ---- */

/* Not under the lock, which nobody may hold while a person thinks. */
static enum ks_error ask_pin(
	struct fake *fake, struct ks_operation *operation, struct fake_token *token)
{
	struct secret pin = {0};

	pthread_mutex_lock(&fake->lock);
	const struct ks_token told = describe(fake, token);
	bool retry = token->tries_left < token->tries_most;
	pthread_mutex_unlock(&fake->lock);
	if (told.tries_left == 0)
		return KS_PIN_BLOCKED;
	if (told.tries_left == 1 && fake->options.last_try == FAKE_LAST_TRY_KEPT)
		return KS_PIN_LAST_TRY;
	enum ks_error error = ks_ask_pin(operation, &told, retry, &pin);
	if (error != KS_OK)
		return error;
	pthread_mutex_lock(&fake->lock);
	error = fake_token_login(token, &pin);
	report(fake, token);
	pthread_mutex_unlock(&fake->lock);
	secret_deinit(&pin);
	if (error == KS_OK)
		ks_presence_given(operation, KS_PRESENCE_PIN);
	return error;
}

static enum ks_error await_touch(
	struct fake *fake, struct ks_operation *operation, const struct fake_token *token)
{
	pthread_mutex_lock(&fake->lock);
	const struct ks_token told = describe(fake, token);
	pthread_mutex_unlock(&fake->lock);
	enum ks_error error = ks_touch_awaited(operation, &told);
	if (error == KS_OK && fake->options.touch == FAKE_TOUCH_WAIT)
		error = misbehave(operation, FAKE_STUCK);
	ks_touch_over(operation);
	if (error == KS_OK)
		ks_presence_given(operation, KS_PRESENCE_TOUCH);
	return error;
}

/* What the key always wants, and what this request demands besides. */
static enum ks_error prove_presence(struct fake *fake, struct ks_operation *operation,
	struct fake_token *token, uint32_t demand)
{
	bool touch = fake->options.touch != FAKE_TOUCH_NONE;
	bool has_pin = fake->options.pin != FAKE_PIN_NONE;
	bool met_by_touch = touch && (demand & KS_PRESENCE_TOUCH) != 0;

	pthread_mutex_lock(&fake->lock);
	bool pin = has_pin && (fake->options.pin == FAKE_PIN_ALWAYS || !token->logged_in);
	pthread_mutex_unlock(&fake->lock);
	if (demand != KS_PRESENCE_NONE && !met_by_touch) {
		if (!has_pin || (demand & KS_PRESENCE_PIN) == 0)
			return KS_UNSUPPORTED;
		pin = true; /* an open login does not count */
	}
	enum ks_error error = pin ? ask_pin(fake, operation, token) : KS_OK;
	if (error == KS_OK && touch)
		error = await_touch(fake, operation, token);
	return error;
}

/* ---- The functions of the table ---- */

static enum ks_error fake_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	struct fake_options options;
	char wrong[256];

	if (fake_options_parse(provider, &options, wrong, sizeof(wrong)) != KS_OK) {
		ks_explain(operation, "%s", wrong);
		return KS_BAD_INPUT;
	}
	buf_put(canonical, bytes_of(provider));
	return misbehave(operation, options.locate);
}

static void fake_close(void *state)
{
	struct fake *fake = state;

	if (misbehave(NULL, fake->options.close) != KS_OK)
		log_error("the fake backend was told to fail at its end");
	for (unsigned i = 0; i < fake->options.tokens; i++)
		fake_token_deinit(&fake->tokens[i]);
	pthread_mutex_destroy(&fake->lock);
	free(fake);
}

static enum ks_error fake_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	char wrong[256];
	struct fake *fake = calloc(1, sizeof(*fake));

	if (fake == NULL)
		return KS_NO_MEMORY;
	fake->worker = worker;
	pthread_mutex_init(&fake->lock, NULL);
	enum ks_error error = fake_options_parse(canonical, &fake->options, wrong, sizeof(wrong));
	if (error == KS_OK)
		error = misbehave(operation, fake->options.open);
	for (unsigned i = 0; error == KS_OK && i < fake->options.tokens; i++)
		error = fake_token_init(&fake->tokens[i], i, &fake->options);
	if (error != KS_OK) {
		fake->options.close = FAKE_WELL;
		fake_close(fake);
		return error;
	}
	log_warning("the fake backend is in use: its keys are known to everybody and PROTECT "
		    "NOTHING");
	*state = fake;
	return KS_OK;
}

static enum ks_error fake_list(void *state, struct ks_operation *operation)
{
	struct fake *fake = state;
	enum ks_error error = misbehave(operation, fake->options.list);

	if (error != KS_OK)
		return error;
	pthread_mutex_lock(&fake->lock);
	for (unsigned i = 0; i < fake->options.tokens; i++) {
		struct fake_token *token = &fake->tokens[i];
		if (fake->options.after == FAKE_AFTER_RETURN)
			token->present = true;
		if (token->present)
			report(fake, token);
	}
	pthread_mutex_unlock(&fake->lock);
	return KS_OK;
}

/* With several tokens it is not clear for which one the PIN was typed: it is not tried. */
static enum ks_error fake_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	struct fake *fake = state;
	enum ks_error error = misbehave(operation, fake->options.login);

	if (error == KS_OK && fake->options.pin != FAKE_PIN_NONE && fake->options.tokens == 1) {
		pthread_mutex_lock(&fake->lock);
		bool spare = fake->tokens[0].tries_left == 1 &&
			     fake->options.last_try == FAKE_LAST_TRY_KEPT;
		error = spare ? KS_PIN_LAST_TRY : fake_token_login(&fake->tokens[0], pin);
		pthread_mutex_unlock(&fake->lock);
	}
	return error == KS_OK ? fake_list(state, operation) : error;
}

static void forget_login(struct fake *fake, struct fake_token *token)
{
	pthread_mutex_lock(&fake->lock);
	if (token->logged_in) {
		token->logged_in = false;
		report(fake, token);
	}
	pthread_mutex_unlock(&fake->lock);
}

/* What the token does once it has signed. */
static void after_signature(struct fake *fake, struct fake_token *token)
{
	if (fake->options.after == FAKE_AFTER_STAY)
		return;
	pthread_mutex_lock(&fake->lock);
	token->present = fake->options.after == FAKE_AFTER_BLINK;
	ks_token_gone(fake->worker, token->id);
	if (token->present)
		report(fake, token);
	pthread_mutex_unlock(&fake->lock);
}

static struct fake_token *find_token(struct fake *fake, uint32_t id)
{
	pthread_mutex_lock(&fake->lock);
	bool found = id < fake->options.tokens && fake->tokens[id].present;
	pthread_mutex_unlock(&fake->lock);
	return found ? &fake->tokens[id] : NULL;
}

static enum ks_error fake_sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	struct fake *fake = state;
	struct fake_token *token = find_token(fake, request->token);
	const struct fake_key *key = token != NULL ? fake_token_key(token, request->blob) : NULL;

	if (key == NULL)
		return token == NULL ? KS_NO_TOKEN : KS_NO_KEY;
	misbehave_presence(operation, fake->options.presence);
	enum ks_error error = misbehave(operation, fake->options.sign);
	if (error == KS_OK)
		error = prove_presence(fake, operation, token, request->demand);
	if (error == KS_OK)
		error = fake_key_sign(key->pkey, request->algorithm, request->data, signature);
	if (error == KS_OK)
		error = misbehave_signature(fake->options.signature, request->algorithm, signature);
	if (request->demand != KS_PRESENCE_NONE)
		forget_login(fake, token); /* that PIN was for this request alone */
	if (error == KS_OK)
		after_signature(fake, token);
	return error;
}

static enum ks_error fake_release(void *state, struct ks_operation *operation, uint32_t id)
{
	struct fake *fake = state;
	struct fake_token *token = find_token(fake, id);
	enum ks_error error = misbehave(operation, fake->options.release);

	if (token == NULL || error != KS_OK)
		return error;
	forget_login(fake, token);
	return KS_OK;
}

extern KS_NEEDS(fake);
extern KS_BACKEND(fake);

KS_BACKEND(fake) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_fake,
	.parallel = 2,
	.locate = fake_locate,
	.open = fake_open,
	.list = fake_list,
	.login = fake_login,
	.sign = fake_sign,
	.release = fake_release,
	.close = fake_close,
};
