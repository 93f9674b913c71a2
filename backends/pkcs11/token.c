/*
 * What is known of one token: its identity, what the agent is told of it, and the handles of
 * its keys.
 */
#include "token.h"

#include <stdlib.h>
#include <string.h>

/* The news that a card is out may come later than the failure of what was done with it. */
#define NEWS_WAITS 10 /* of gate_wait() */

struct token *token_new(struct module *module, uint32_t id, const struct token_identity *identity)
{
	struct token *token = calloc(1, sizeof(*token));

	if (!token)
		return NULL;
	token->module = module;
	token->id = id;
	token->identity = *identity;
	token->card.tries = KS_TRIES_UNKNOWN;
	token->sessions_max = module->threads ? TOKEN_SESSIONS_MAX : 1;
	gate_init(&token->login);
	gate_init(&token->use);
	pthread_mutex_init(&token->begin, NULL);
	pthread_mutex_init(&token->lock, NULL);
	gate_condition_init(&token->session_given);
	return token;
}

void token_free(struct token **token)
{
	if (!*token)
		return;
	key_list_deinit(&(*token)->keys);
	piv_facts_deinit(&(*token)->card);
	gate_deinit(&(*token)->login);
	gate_deinit(&(*token)->use);
	pthread_mutex_destroy(&(*token)->begin);
	pthread_cond_destroy(&(*token)->session_given);
	pthread_mutex_destroy(&(*token)->lock);
	free(*token);
	*token = NULL;
}

void token_text(char *out, const unsigned char *padded, size_t len)
{
	size_t used = strnlen((const char *)padded, len);

	while (used && padded[used - 1] == ' ')
		used--;
	memcpy(out, padded, used);
	out[used] = '\0';
}

CK_RV token_info(struct module *module, CK_SLOT_ID slot, CK_TOKEN_INFO *info,
	struct token_identity *identity)
{
	CK_RV value;

	memset(info, 0, sizeof(*info));
	value = CALL(module, C_GetTokenInfo, slot, info);
	if (value != CKR_OK)
		return value;
	*identity = (struct token_identity){0};
	token_text(identity->label, info->label, sizeof(info->label));
	token_text(identity->manufacturer, info->manufacturerID, sizeof(info->manufacturerID));
	token_text(identity->model, info->model, sizeof(info->model));
	token_text(identity->serial, info->serialNumber, sizeof(info->serialNumber));
	return CKR_OK;
}

bool token_identity_equal(const struct token_identity *a, const struct token_identity *b)
{
	return !strcmp(a->label, b->label) && !strcmp(a->manufacturer, b->manufacturer) &&
	       !strcmp(a->model, b->model) && !strcmp(a->serial, b->serial);
}

struct ks_token token_view(const struct token *token)
{
	struct ks_token view = {
		.id = token->id,
		.label = token->identity.label,
		.serial = token->identity.serial,
		.model = token->identity.model,
		.location = token->location,
		.tries_left = token->card.tries,
	};

	if (token->flags & CKF_LOGIN_REQUIRED)
		view.flags |= KS_TOKEN_NEEDS_LOGIN;
	if (token->module->in_readers)
		view.flags |= KS_TOKEN_SHARED;
	if (token->logged_in)
		view.flags |= KS_TOKEN_LOGGED_IN;
	if (token->flags & CKF_PROTECTED_AUTHENTICATION_PATH)
		view.flags |= KS_TOKEN_PIN_PAD;
	if (!(token->flags & CKF_USER_PIN_INITIALIZED))
		view.flags |= KS_TOKEN_NO_PIN;
	if ((token->flags & CKF_USER_PIN_LOCKED) || token->card.tries == 0) {
		view.flags |= KS_TOKEN_PIN_BLOCKED;
		view.tries_left = 0;
	} else if ((token->flags & CKF_USER_PIN_FINAL_TRY) || token->card.tries == 1) {
		view.flags |= KS_TOKEN_LAST_TRY;
		view.tries_left = 1;
	}
	return view;
}

bool token_key_handle(struct token *token, struct bytes blob, struct private_key *out)
{
	struct token_key *key;

	pthread_mutex_lock(&token->lock);
	key = key_list_find(&token->keys, blob);
	if (key)
		*out = (struct private_key){.handle = key->private, .always_pin = key->always_pin};
	pthread_mutex_unlock(&token->lock);
	return key != NULL;
}

void token_key_id(struct token *token, struct bytes blob, struct buf *id)
{
	struct token_key *key;

	pthread_mutex_lock(&token->lock);
	key = key_list_find(&token->keys, blob);
	if (key)
		buf_put(id, buf_bytes(&key->id));
	pthread_mutex_unlock(&token->lock);
}

void token_key_keep(struct token *token, struct bytes blob, unsigned generation,
	const struct private_key *found)
{
	struct token_key *key;

	pthread_mutex_lock(&token->lock);
	key = key_list_find(&token->keys, blob);
	if (key && token->generation == generation) {
		key->private = found->handle;
		key->always_pin = found->always_pin;
	}
	pthread_mutex_unlock(&token->lock);
}

void token_key_forget(struct token *token, struct bytes blob)
{
	struct token_key *key;

	pthread_mutex_lock(&token->lock);
	key = key_list_find(&token->keys, blob);
	if (key)
		key->private = CK_INVALID_HANDLE;
	pthread_mutex_unlock(&token->lock);
}

void token_logged_in(struct token *token, unsigned generation)
{
	pthread_mutex_lock(&token->lock);
	if (token->generation == generation) {
		token->logged_in = true;
		token->logins++;
	}
	pthread_mutex_unlock(&token->lock);
}

void token_logged_out(struct token *token)
{
	pthread_mutex_lock(&token->lock);
	token->logged_in = false;
	key_list_forget_handles(&token->keys);
	pthread_mutex_unlock(&token->lock);
}

void token_lost_login(struct token *token, unsigned logins)
{
	pthread_mutex_lock(&token->lock);
	if (token->logins == logins) {
		token->logged_in = false;
		key_list_forget_handles(&token->keys);
	}
	pthread_mutex_unlock(&token->lock);
}

bool token_is_logged_in(struct token *token)
{
	bool logged_in;

	pthread_mutex_lock(&token->lock);
	logged_in = token->logged_in;
	pthread_mutex_unlock(&token->lock);
	return logged_in;
}

bool token_is_present(struct token *token)
{
	bool present;

	pthread_mutex_lock(&token->lock);
	present = token->present;
	pthread_mutex_unlock(&token->lock);
	return present;
}

unsigned token_departures(struct token *token)
{
	unsigned departures;

	pthread_mutex_lock(&token->lock);
	departures = token->departures;
	pthread_mutex_unlock(&token->lock);
	return departures;
}

bool token_departed(struct token *token, unsigned departures, struct ks_operation *operation)
{
	bool departed;

	pthread_mutex_lock(&token->lock);
	for (int i = 0; i < NEWS_WAITS && token->departures == departures; i++)
		if (gate_wait(&token->session_given, &token->lock, operation) != KS_OK)
			break;
	departed = token->departures != departures;
	pthread_mutex_unlock(&token->lock);
	return departed;
}

void token_await_return(struct token *token, struct ks_operation *operation)
{
	pthread_mutex_lock(&token->lock);
	for (int i = 0; i < NEWS_WAITS && !token->present; i++)
		if (gate_wait(&token->session_given, &token->lock, operation) != KS_OK)
			break;
	pthread_mutex_unlock(&token->lock);
}

unsigned token_generation(struct token *token)
{
	unsigned generation;

	pthread_mutex_lock(&token->lock);
	generation = token->generation;
	pthread_mutex_unlock(&token->lock);
	return generation;
}
