/*
 * Tokens that went: what they were used for ends, and the agent is told.
 */
#include "provider.h"
#include "readers.h"

/* The agent still takes it for present. */
static bool is_owed(struct token *token)
{
	bool owed;

	pthread_mutex_lock(&token->lock);
	owed = token->owed;
	pthread_mutex_unlock(&token->lock);
	return owed;
}

/* False: it was not there. */
static bool depart(struct token *token, unsigned *generation)
{
	bool was;

	*generation = token_generation(token);
	pthread_mutex_lock(&token->lock);
	was = token->present;
	token->present = false;
	token->departures += was;
	pthread_mutex_unlock(&token->lock);
	return was;
}

void provider_token_gone(struct provider *provider, struct token *token)
{
	unsigned generation;
	bool was = depart(token, &generation);

	if (was || is_owed(token))
		provider_report(provider, token);
	if (was)
		token_drop_sessions(token, generation);
}

static bool lies_in(struct token *token, const char *reader)
{
	bool same;

	pthread_mutex_lock(&token->lock);
	same = readers_is_at(token->location, reader);
	pthread_mutex_unlock(&token->lock);
	return same;
}

static size_t count_tokens(struct provider *provider)
{
	size_t count;

	pthread_mutex_lock(&provider->lock);
	count = provider->count;
	pthread_mutex_unlock(&provider->lock);
	return count;
}

bool provider_has_token_in(struct provider *provider, const char *reader)
{
	size_t count = count_tokens(provider);

	for (size_t i = 0; i < count; i++)
		if (token_is_present(provider->tokens[i]) && lies_in(provider->tokens[i], reader))
			return true;
	return false;
}

struct token *provider_only_token_in(struct provider *provider, const char *reader)
{
	size_t count = count_tokens(provider);
	struct token *only = NULL;

	for (size_t i = 0; i < count; i++) {
		struct token *token = provider->tokens[i];

		if (!token_is_present(token) || !lies_in(token, reader))
			continue;
		if (only != NULL)
			return NULL;
		only = token;
	}
	return only;
}

/* It may be back at once: the agent, for which it would be another one then, is told later. */
static void blink(struct token *token)
{
	unsigned generation;

	if (!depart(token, &generation))
		return;
	pthread_mutex_lock(&token->lock);
	token->owed = true;
	pthread_mutex_unlock(&token->lock);
	token_drop_sessions(token, generation);
}

void provider_card_left(struct provider *provider, const char *reader, bool occupied)
{
	size_t count = count_tokens(provider);
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		struct token *token = provider->tokens[i];

		if (!lies_in(token, reader))
			continue;
		if (occupied)
			blink(token);
		else
			provider_token_gone(provider, token);
		any = true;
	}
	if (any)
		provider_wear(provider);
}

void provider_service_lost(struct provider *provider)
{
	size_t count = count_tokens(provider);

	provider_wear(provider);
	for (size_t i = 0; i < count; i++)
		provider_token_gone(provider, provider->tokens[i]);
}
