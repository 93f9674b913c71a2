/*
 * Keeps the table of tokens, and what the agent was told of them, up to date.
 */
#include "provider.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>
#include <keystile/text.h>

#include "return_value.h"
#include "slots.h"
#include "token_card.h"

/* A session may turn out void once while keys are read; then new ones are tried. */
#define READ_ATTEMPTS 2

void provider_init(struct provider *provider, struct ks_worker *worker)
{
	*provider = (struct provider){.worker = worker};
	gate_init(&provider->calls);
	gate_init(&provider->scan);
	pthread_mutex_init(&provider->lock, NULL);
	gate_condition_init(&provider->entered);
}

void provider_deinit(struct provider *provider)
{
	module_close(&provider->module);
	for (size_t i = 0; i < provider->count; i++)
		token_free(&provider->tokens[i]);
	uri_free(provider->uri);
	gate_deinit(&provider->scan);
	gate_deinit(&provider->calls);
	pthread_cond_destroy(&provider->entered);
	pthread_mutex_destroy(&provider->lock);
}

enum ks_error provider_token(
	struct provider *provider, struct ks_operation *operation, uint32_t id, struct token **out)
{
	*out = NULL;
	pthread_mutex_lock(&provider->lock);
	if (id >= 1 && id <= provider->count)
		*out = provider->tokens[id - 1];
	pthread_mutex_unlock(&provider->lock);
	if (*out)
		return KS_OK;
	ks_explain(operation, "the module has shown no such token");
	return KS_NO_TOKEN;
}

typedef char id_text[KS_ID_MAX + 1];

static struct ks_key key_view(const struct token_key *key, id_text id)
{
	if (key->id.len <= KS_ID_MAX / 2)
		text_hex(buf_bytes(&key->id), id);
	return (struct ks_key){.blob = buf_bytes(&key->blob),
		.label = key->label,
		.flags = key->always_pin ? KS_KEY_ALWAYS_PIN : 0,
		.id = id,
		.certificate = key->certificate ? &key->certificate->said : NULL};
}

/* The lock is held while the agent is told, so that two reports keep their order. */
void provider_report(struct provider *provider, struct token *token)
{
	struct ks_token view;
	struct ks_key *keys;
	id_text *ids;

	pthread_mutex_lock(&token->lock);
	keys = calloc(token->keys.count + 1, sizeof(*keys));
	ids = calloc(token->keys.count + 1, sizeof(*ids));
	for (size_t i = 0; keys && ids && i < token->keys.count; i++)
		keys[i] = key_view(&token->keys.keys[i], ids[i]);
	view = token_view(token);
	token->owed = false;
	if (!token->present)
		ks_token_gone(provider->worker, token->id);
	else if (keys && ids)
		ks_token_is(provider->worker, &view, keys, token->keys.count);
	else
		log_error("out of memory: a token could not be reported");
	if (token->present)
		token_card_report(provider, token);
	free(keys);
	free(ids);
	pthread_mutex_unlock(&token->lock);
}

/* Handles and flags that are known of a key stay known when its token is read again. */
static void carry_over(struct key_list *list, const struct key_list *older)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct token_key *known =
			key_list_find(older, buf_bytes(&list->keys[i].blob));

		if (!known)
			continue;
		list->keys[i].private = known->private;
		list->keys[i].always_pin = known->always_pin;
	}
}

/*
 * Without a login fewer keys may be seen than with the one before; those are not gone, only out of
 * sight.
 */
static enum ks_error replace_keys(struct token *token, struct key_list *list, bool logged_in)
{
	enum ks_error error = KS_OK;

	pthread_mutex_lock(&token->lock);
	carry_over(list, &token->keys);
	if (token->read_logged_in && !logged_in)
		error = key_list_keep(list, &token->keys);
	key_list_deinit(&token->keys);
	token->keys = *list;
	*list = (struct key_list){0};
	token->unread = false;
	token->read_logged_in = token->read_logged_in || logged_in;
	pthread_mutex_unlock(&token->lock);
	return error;
}

/* One reading; *value is what the module said where it failed. */
static enum ks_error read_once(
	struct token *token, struct ks_operation *operation, unsigned *generation, CK_RV *value)
{
	struct key_list list = {0};
	struct session_result taken;
	struct session *session;
	enum ks_error error;
	bool logged_in;

	*generation = token_generation(token);
	*value = CKR_OK;
	taken = token_take_session(token, operation, &session);
	*value = taken.value;
	if (taken.error != KS_OK)
		return taken.error;
	*generation = session->generation;
	logged_in = token_is_logged_in(token);
	*value = key_list_read(token->module, session->handle, &list);
	token_give_session(token, session, *value == CKR_OK);
	error = return_value_error(*value);
	if (error == KS_OK)
		error = replace_keys(token, &list, logged_in);
	key_list_deinit(&list);
	return error;
}

static enum ks_error read_keys(struct token *token, struct ks_operation *operation)
{
	enum ks_error error = KS_OK;
	CK_RV value = CKR_OK;
	unsigned generation;

	for (int i = 0; i < READ_ATTEMPTS; i++) {
		error = gate_enter(&token->use, operation);
		if (error != KS_OK)
			return error;
		error = read_once(token, operation, &generation, &value);
		gate_leave(&token->use);
		if (error == KS_OK || return_value_remedy(value) == REMEDY_NONE)
			break;
		token_drop_sessions(token, generation);
	}
	if (value != CKR_OK)
		error = return_value_failed(operation, "reading the token's keys", value);
	return error;
}

enum ks_error provider_read_keys(
	struct provider *provider, struct token *token, struct ks_operation *operation)
{
	enum ks_error error = read_keys(token, operation);

	token_card_learn(provider, token);
	provider_report(provider, token);
	return error;
}

static bool wants_reading(struct token *token, enum refresh_extent extent)
{
	bool wanted;

	pthread_mutex_lock(&token->lock);
	wanted = token->present && (extent == REFRESH_ALL || token->unread);
	pthread_mutex_unlock(&token->lock);
	return wanted;
}

enum ks_error provider_refresh(
	struct provider *provider, struct ks_operation *operation, enum refresh_extent extent)
{
	enum ks_error error = gate_enter_alone(&provider->scan, operation);
	size_t count;

	if (error != KS_OK)
		return error;
	error = slots_scan(provider, operation);
	count = provider->count;
	gate_leave(&provider->scan);
	for (size_t i = 0; i < count && error == KS_OK; i++) {
		/* The others are still good when one token can't be read; it was logged. */
		if (wants_reading(provider->tokens[i], extent) &&
			provider_read_keys(provider, provider->tokens[i], operation) != KS_OK &&
			operation && ks_cancelled(operation))
			error = KS_CANCELLED;
	}
	return error;
}

static enum ks_error presence(struct token *token, struct ks_operation *operation)
{
	if (token_is_present(token))
		return KS_OK;
	ks_explain(operation, "the token is not there; put it in and try again");
	return KS_NO_TOKEN;
}

enum ks_error provider_recover(struct provider *provider, struct token *token, unsigned generation,
	struct ks_operation *operation)
{
	enum ks_error error;

	token_drop_sessions(token, generation);
	error = provider_refresh(provider, operation, REFRESH_CHANGED);
	return error == KS_OK ? presence(token, operation) : error;
}

/* Present, and the agent was told: it asks nobody for the PIN of a token that it does not know. */
static bool is_reported(struct token *token)
{
	bool reported;

	pthread_mutex_lock(&token->lock);
	reported = token->present && !token->unread;
	pthread_mutex_unlock(&token->lock);
	return reported;
}

enum ks_error provider_require(
	struct provider *provider, struct token *token, struct ks_operation *operation)
{
	enum ks_error error;

	if (is_reported(token))
		return KS_OK;
	error = provider_refresh(provider, operation, REFRESH_CHANGED);
	return error == KS_OK ? presence(token, operation) : error;
}
