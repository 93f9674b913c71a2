/*
 * Finds the reader in which a token's card is, and keeps what the card said for as long as it is
 * there.
 */
#include "token_card.h"

#include <keystile/log.h>

/* Another program may have the card for itself, or it is too young to answer. */
#define READS_MAX 3
/* For which a YubiKey keeps a touch where its policy is to do so. */
#define TOUCH_KEPT_SECONDS 15

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

/* False: nothing was learnt. */
static bool read_all(struct provider *provider, struct token *token)
{
	struct piv_facts facts = {.tries = KS_TRIES_UNKNOWN};
	const struct piv_wanted meant = wanted(token);
	struct card card;
	bool known;

	if (!open_card(&card, provider, token))
		return false;
	known = piv_read(&card, &meant, &facts);
	if (known) {
		log_debug("the card says of %zu of its keys how they may be used", facts.count);
	} else {
		log_info("the card does not say what a PIV card says: nothing more is known of it");
		piv_facts_deinit(&facts);
	}
	card_close(&card);
	keep(token, &facts);
	return known;
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
	/* It tells the tries as well. */
	if (is_due(token) && read_all(provider, token))
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

void token_card_report(struct provider *provider, const struct token *token)
{
	const struct piv_facts *facts = &token->card;
	struct ks_key_facts keys[PIV_SLOTS];
	const struct ks_card card = {.firmware = facts->firmware,
		.serial = facts->serial,
		.intermediate = buf_bytes(&facts->intermediate),
		.keys = keys,
		.count = facts->count};

	if (!facts->known || !facts->yubikey)
		return;
	for (size_t i = 0; i < facts->count; i++)
		keys[i] = facts->keys[i].facts;
	ks_card_is(provider->worker, token->id, &card);
}

/* ---- Touches ---- */

/* Called with lock held. */
static uint8_t policy_of(const struct token *token, struct bytes blob)
{
	const struct piv_facts *facts = &token->card;

	for (size_t i = 0; i < facts->count; i++)
		if (bytes_equal(facts->keys[i].facts.blob, blob))
			return facts->keys[i].facts.touch;
	return KS_TOUCH_POLICY_UNKNOWN;
}

static bool is_kept(const struct token *token)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return token->touched_s > 0 && now.tv_sec - token->touched_s < TOUCH_KEPT_SECONDS;
}

bool token_card_wants_touch(struct token *token, struct bytes blob)
{
	uint8_t policy;
	bool kept;

	pthread_mutex_lock(&token->lock);
	policy = policy_of(token, blob);
	kept = is_kept(token);
	pthread_mutex_unlock(&token->lock);
	return policy == KS_TOUCH_ALWAYS || (policy == KS_TOUCH_CACHED && !kept);
}

bool token_card_always_touched(struct token *token, struct bytes blob)
{
	bool always;

	pthread_mutex_lock(&token->lock);
	always = policy_of(token, blob) == KS_TOUCH_ALWAYS;
	pthread_mutex_unlock(&token->lock);
	return always;
}

/* A touch that was kept does not count anew; too early a notice does less harm than none. */
void token_card_signed(struct token *token, struct bytes blob)
{
	struct timespec now;
	uint8_t policy;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&token->lock);
	policy = policy_of(token, blob);
	if (policy == KS_TOUCH_CACHED && !is_kept(token))
		token->touched_s = now.tv_sec;
	pthread_mutex_unlock(&token->lock);
}
