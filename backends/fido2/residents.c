/*
 * The keys that are remembered, the thread that asks tokens for them, and what the agent is told.
 */
#include "residents.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

void residents_init(struct residents *residents, struct tokens *tokens)
{
	*residents = (struct residents){.tokens = tokens};
	key_handles_init(&residents->handles);
}

void residents_deinit(struct residents *residents)
{
	if (residents->running) {
		pthread_mutex_lock(&residents->tokens->lock);
		residents->ending = true;
		pthread_cond_broadcast(&residents->tokens->freed);
		pthread_mutex_unlock(&residents->tokens->lock);
		tokens_interrupt(residents->tokens);
		pthread_join(residents->thread, NULL);
	}
	for (unsigned i = 0; i < RESIDENTS_MAX; i++)
		resident_free(residents->at[i]);
	key_handles_deinit(&residents->handles);
}

/* ---- The places ---- */

static bool keep_handle(struct residents *residents, const struct resident *resident)
{
	struct secret key = {0};
	AUTO(buf) blob = {0};
	enum ks_error error = secret_init(&key, resident->key.len);

	if (error == KS_OK) {
		memcpy(key.data, resident->key.data, resident->key.len);
		key.len = resident->key.len;
		error = key_handles_add(&residents->handles, NULL, &key, &blob);
	}
	secret_deinit(&key);
	return error == KS_OK;
}

void residents_drop(struct residents *residents, unsigned place)
{
	struct resident *resident = residents->at[place];

	residents->at[place] = NULL;
	for (struct fido_token *token = residents->tokens->first; token != NULL;
		token = token->next)
		token->shows[place] = false;
	if (key_handles_remove(&residents->handles, buf_bytes(&resident->blob)) != KS_OK)
		log_debug("a resident key was forgotten already");
	resident_free(resident);
}

bool residents_put(struct residents *residents, struct resident *resident, unsigned *place)
{
	unsigned free_place = RESIDENTS_MAX;

	for (unsigned i = RESIDENTS_MAX; i-- > 0;) {
		struct resident *there = residents->at[i];

		if (there != NULL &&
			bytes_equal(buf_bytes(&there->blob), buf_bytes(&resident->blob)))
			residents_drop(residents, i);
		if (residents->at[i] == NULL)
			free_place = i;
	}
	if (free_place == RESIDENTS_MAX || !keep_handle(residents, resident)) {
		log_warning("there is no room for one more resident key: it is left out");
		return false;
	}
	residents->at[free_place] = resident;
	*place = free_place;
	return true;
}

/* ---- The agent ---- */

void residents_report(void *owner, const struct fido_token *token)
{
	const struct residents *residents = owner;
	struct ks_key keys[RESIDENTS_MAX];
	const struct ks_token view = token_view(token);
	size_t count = 0;

	for (unsigned i = 0; i < RESIDENTS_MAX && residents->wanted; i++) {
		const struct resident *resident = residents->at[i];

		if (resident != NULL && token->shows[i])
			keys[count++] = (struct ks_key){.blob = buf_bytes(&resident->blob),
				.label = resident->comment,
				.flags = resident->hidden ? KS_KEY_ALWAYS_PIN : 0};
	}
	ks_token_is(residents->tokens->worker, &view, keys, count);
}

/* ---- Wanting them ---- */

static enum ks_error begin(struct residents *residents)
{
	enum ks_error error = KS_OK;
	json_t *file = NULL;
	bool read;

	pthread_mutex_lock(&residents->tokens->lock);
	read = residents->read;
	pthread_mutex_unlock(&residents->tokens->lock);
	if (!read)
		file = residents_file_read();
	pthread_mutex_lock(&residents->tokens->lock);
	if (!residents->read)
		residents_take_file(residents, file);
	residents->read = residents->wanted = true;
	if (!residents->running) {
		residents->running =
			pthread_create(&residents->thread, NULL, recognise_main, residents) == 0;
		error = residents->running ? KS_OK : KS_NO_MEMORY;
	}
	pthread_cond_broadcast(&residents->tokens->freed);
	pthread_mutex_unlock(&residents->tokens->lock);
	json_decref(file);
	return error;
}

/* That one could not be asked is no reason not to ask the others, nor for anybody to be told no. */
static void ask_one(
	struct residents *residents, struct ks_operation *operation, struct fido_token *token)
{
	enum ks_error error = tokens_take(residents->tokens, operation, false, &token, 1);

	if (error == KS_OK) {
		/* Also one that could not be asked before. */
		if (!token->asked)
			error = recognise(residents, operation, token);
		token_give_back(residents->tokens, token);
	}
	if (error != KS_OK)
		log_info("a security key was not asked for its resident keys: %s",
			ks_error_text(error));
}

enum ks_error residents_want(struct residents *residents, struct ks_operation *operation)
{
	struct fido_token *present[TOKENS_MAX];
	enum ks_error error = begin(residents);
	size_t count;

	if (error != KS_OK)
		return error;
	finder_look(residents->finder);
	count = tokens_present(residents->tokens, BYTES(NULL, 0), present);
	for (size_t i = 0; i < count; i++) {
		ask_one(residents, operation, present[i]);
		token_unreference(residents->tokens, present[i]);
	}
	return ks_cancelled(operation) ? KS_CANCELLED : KS_OK;
}

void residents_rest(struct residents *residents)
{
	pthread_mutex_lock(&residents->tokens->lock);
	residents->wanted = false;
	pthread_mutex_unlock(&residents->tokens->lock);
}
