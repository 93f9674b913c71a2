/*
 * Finds the reader in which a token's card is, and keeps what the card said for as long as it is
 * there.
 */
#include "token_card.h"

#include <keystile/log.h>

/* Another program may have the card for itself, or it is too young to answer. */
#define READS_MAX 3

struct choice {
	struct provider *provider;
	struct token *token;
};

/* Not where two tokens are said to be in one reader: it would be a guess which of them it is. */
static bool is_chosen(const char *reader, const void *context)
{
	const struct choice *choice = context;

	return provider_only_token_in(choice->provider, reader) == choice->token;
}

static bool open_card(struct card *card, struct provider *provider, struct token *token)
{
	const struct choice choice = {.provider = provider, .token = token};

	return card_open(card, &provider->cards, is_chosen, &choice);
}

/* The keys change only under the token's use, which the caller has. */
static struct piv_wanted wanted(const struct token *token)
{
	return (struct piv_wanted){.manufacturer = token->identity.manufacturer,
		.serial = token->identity.serial,
		.keys = &token->keys};
}

/* One more try is to be made, and is counted. */
static bool is_due(struct token *token)
{
	struct piv_facts *facts = &token->card;
	bool due;

	pthread_mutex_lock(&token->lock);
	if (facts->presence != token->departures) {
		piv_facts_deinit(facts);
		facts->presence = token->departures;
	}
	due = token->present && !token->logged_in && !facts->known && facts->reads < READS_MAX &&
	      piv_is(token->identity.manufacturer);
	if (due)
		facts->reads++;
	pthread_mutex_unlock(&token->lock);
	return due;
}

/* Whatever came of it, unless the card went meanwhile. */
static void keep(struct token *token, struct piv_facts *facts)
{
	pthread_mutex_lock(&token->lock);
	if (token->present && token->departures == token->card.presence) {
		facts->presence = token->card.presence;
		facts->reads = token->card.reads;
		piv_facts_deinit(&token->card);
		token->card = *facts;
		*facts = (struct piv_facts){0};
	}
	pthread_mutex_unlock(&token->lock);
	piv_facts_deinit(facts);
}

static void read_all(struct provider *provider, struct token *token)
{
	struct piv_facts facts = {.tries = KS_TRIES_UNKNOWN};
	const struct piv_wanted meant = wanted(token);
	struct card card;

	if (!open_card(&card, provider, token))
		return;
	if (piv_read(&card, &meant, &facts)) {
		log_debug("the card says of %zu of its keys how they may be used", facts.count);
	} else {
		log_info("the card does not say what a PIV card says: nothing more is known of it");
		piv_facts_deinit(&facts);
	}
	card_close(&card);
	keep(token, &facts);
}

void token_card_learn(struct provider *provider, struct token *token)
{
	if (!gate_try_alone(&token->use))
		return;
	if (is_due(token))
		read_all(provider, token);
	gate_leave(&token->use);
}

static void set_tries(struct token *token, int32_t tries)
{
	pthread_mutex_lock(&token->lock);
	token->card.tries = tries;
	pthread_mutex_unlock(&token->lock);
}

void token_card_forget_tries(struct token *token)
{
	set_tries(token, KS_TRIES_UNKNOWN);
}

void token_card_tries(struct provider *provider, struct token *token)
{
	const struct piv_wanted meant = wanted(token);
	int32_t tries = KS_TRIES_UNKNOWN;
	struct card card;

	if (!piv_is(meant.manufacturer))
		return;
	if (open_card(&card, provider, token)) {
		tries = piv_tries(&card, &meant, token_is_logged_in(token));
		card_close(&card);
	}
	set_tries(token, tries);
}

void token_card_try_tries(struct provider *provider, struct token *token)
{
	if (!gate_try_alone(&token->use))
		return;
	token_card_tries(provider, token);
	gate_leave(&token->use);
}
