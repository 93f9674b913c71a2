/*
 * The tokens of a provider, as its worker reports them, and the keys that they bring.
 */
#include <stdlib.h>

#include <keystile/log.h>

#include "agent.h"
#include "attestation.h"
#include "insertion.h"
#include "login_release.h"
#include "offer.h"
#include "provider.h"
#include "token_card.h"
#include "token_report.h"

static void drop_token(struct provider *provider, struct token *token)
{
	struct token **at = &provider->tokens;

	keyring_token_gone(&provider->agent->keyring, token);
	while (*at != token)
		at = &(*at)->next;
	*at = token->next;
	token_free(token);
}

void provider_drop_tokens(struct provider *provider)
{
	while (provider->tokens != NULL)
		drop_token(provider, provider->tokens);
	insertion_look(provider->agent);
}

void provider_lose_token(struct provider *provider, struct token *token)
{
	if (!provider->lists_absent || token_takes_keys(token) ||
		!keyring_token_has_keys(&provider->agent->keyring, token)) {
		drop_token(provider, token);
		return;
	}
	token->absent = true;
	token->unconfirmed = false;
	token->flags &= (uint32_t)~KS_TOKEN_LOGGED_IN;
	token->tries_left = KS_TRIES_UNKNOWN;
}

static struct token *first_absent(const struct provider *provider)
{
	struct token *token = provider->tokens;

	while (token != NULL && !token->absent)
		token = token->next;
	return token;
}

void provider_drop_absent(struct provider *provider)
{
	struct token *token;

	while ((token = first_absent(provider)) != NULL)
		drop_token(provider, token);
	insertion_look(provider->agent);
}

void provider_forget_unconfirmed(struct provider *provider)
{
	struct token *token = provider->tokens;

	while (token != NULL) {
		struct token *next = token->next;

		if (token->unconfirmed)
			provider_lose_token(provider, token);
		token = next;
	}
}

struct token *provider_token(struct provider *provider, uint32_t id)
{
	for (struct token *token = provider->tokens; token != NULL; token = token->next)
		if (!token->unconfirmed && !token->absent && token->id == id)
			return token;
	return NULL;
}

void provider_drop_keys(struct provider *provider, bool added)
{
	for (struct token *token = provider->tokens; token != NULL; token = token->next)
		if (token_takes_keys(token) == added)
			keyring_token_gone(&provider->agent->keyring, token);
}

bool provider_has_added(const struct provider *provider)
{
	for (const struct key *key = provider->agent->keyring.first; key != NULL; key = key->next)
		for (const struct key_source *source = key->sources; source != NULL;
			source = source->next)
			if (source->token->provider == provider && token_takes_keys(source->token))
				return true;
	return false;
}

/* One that is away makes room. */
static bool has_room(struct provider *provider)
{
	struct token *away = first_absent(provider);
	unsigned count = 0;

	for (const struct token *token = provider->tokens; token != NULL; token = token->next)
		count++;
	if (count < PROVIDER_TOKENS_MAX)
		return true;
	if (away != NULL)
		drop_token(provider, away);
	return away != NULL;
}

static struct token *find_or_add_token(struct provider *provider, const struct ks_token *reported)
{
	struct token *token = provider_token(provider, reported->id);
	struct token **end = &provider->tokens;

	if (token != NULL)
		return token;
	for (token = provider->tokens; token != NULL; token = token->next)
		if ((token->unconfirmed || token->absent) && token_same(token, reported))
			return token;
	if (!has_room(provider))
		return NULL;
	while (*end != NULL)
		end = &(*end)->next;
	*end = calloc(1, sizeof(**end));
	if (*end != NULL)
		(*end)->provider = provider;
	return *end;
}

/* Not before the provider is opened: until then nothing that could know a token runs. */
static bool may_have_tokens(const struct provider *provider)
{
	return provider->name != NULL && provider->state != PROVIDER_LOCATING;
}

/* What was said of them before counts no more, also where there is no memory for what is said now.
 */
static void take_keys(struct token *token, const struct ks_key *keys, size_t count)
{
	token_report_free(&token->report);
	token->report = token_report_new(keys, count);
	if (token->report == NULL) {
		log_error("no memory for the keys of a token: they are left out");
		keyring_token_gone(&token->provider->agent->keyring, token);
	}
	if (count > PROVIDER_KEYS_MAX)
		log_warning(
			"a token holds too many keys: %zu are left out", count - PROVIDER_KEYS_MAX);
	offer_token(token);
}

enum ks_error provider_token_is(struct worker *worker, const struct ks_token *reported,
	const struct ks_key *keys, size_t count)
{
	struct provider *provider = worker->owner;
	struct token *token;

	if (!may_have_tokens(provider))
		return KS_BAD_INPUT;
	token = find_or_add_token(provider, reported);
	if (token == NULL || token_update(token, reported) != KS_OK) {
		log_warning("too many tokens in one provider: one is left out");
		return KS_OK;
	}
	login_release_look(token);
	take_keys(token, keys, count);
	insertion_look(provider->agent);
	return KS_OK;
}

enum ks_error provider_token_gone(struct worker *worker, uint32_t id)
{
	struct provider *provider = worker->owner;
	struct token *token = provider_token(provider, id);

	if (!may_have_tokens(provider))
		return KS_BAD_INPUT;
	if (token != NULL) {
		operations_token_gone(worker, id);
		provider_lose_token(provider, token);
	}
	return KS_OK;
}

enum ks_error provider_card_is(struct worker *worker, const struct frame_card *card)
{
	struct provider *provider = worker->owner;
	struct token *token = provider_token(provider, card->token);

	if (!may_have_tokens(provider))
		return KS_BAD_INPUT;
	if (token == NULL)
		return KS_OK;
	if (token_card_set(token, card) == KS_OK)
		attestation_begin(token);
	else
		log_error("no memory for what a card says of itself");
	return KS_OK;
}
