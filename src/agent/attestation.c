/* See attestation.h. */
#include "attestation.h"

#include <stdlib.h>

#include <jansson.h>
#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>
#include <openssl/evp.h>

#include "agent.h"
#include "provider.h"
#include "token_card.h"

#define VERIFIER "attestation:"
/* Of cards, and then one in that time. */
#define AT_ONCE ((uint64_t)32)
#define EACH_MS ((uint64_t)5000)

struct attestation {
	struct token *token;
	struct card_key *key; /* the one that is asked about */
	struct provider_wait *wait;
	struct provider *provider; /* held */
	struct operation *operation;
};

static bool is_due(const struct card_key *key)
{
	return key->attested == CARD_ATTESTED_NOT && key->touch == KS_TOUCH_ALWAYS &&
	       key->attestation.len > 0;
}

static struct card_key *next_due(const struct token *token)
{
	struct token_card *card = token->card;

	for (size_t i = 0; card != NULL && i < card->count; i++)
		if (is_due(&card->keys[i]))
			return &card->keys[i];
	return NULL;
}

static void end(struct attestation *attestation)
{
	if (attestation->operation != NULL && attestation->key != NULL)
		attestation->key->attested = CARD_ATTESTED_NOT;
	if (attestation->wait != NULL)
		provider_wait_abandon(attestation->wait);
	if (attestation->operation != NULL)
		operation_abandon(attestation->operation);
	if (attestation->provider != NULL)
		provider_let_go(attestation->provider);
	free(attestation);
}

static void finish(struct attestation *attestation)
{
	attestation->token->card->attestation = NULL;
	end(attestation);
}

/* ---- One key ---- */

static json_t *base64(const struct buf *bytes)
{
	size_t len = (bytes->len + 2) / 3 * 4;
	char *text = malloc(len + 1);
	json_t *json = NULL;

	if (text != NULL &&
		EVP_EncodeBlock((unsigned char *)text, bytes->data, (int)bytes->len) >= 0)
		json = json_string(text);
	free(text);
	return json;
}

static char *request_for(const struct attestation *attestation)
{
	const struct card_key *key = attestation->key;
	json_t *object = json_pack("{s:s,s:o,s:o,s:o}", "verb", "attest", "key", base64(&key->blob),
		"certificate", base64(&key->attestation), "signer",
		base64(&attestation->token->card->intermediate));
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

static void ask(struct attestation *attestation);

/* Nothing but a plain yes is one. */
static void take(struct attestation *attestation, const json_t *answer)
{
	const char *why = json_string_value(json_object_get(answer, "why"));
	char quoted[TEXT_WORDS_MAX];

	if (json_is_true(json_object_get(answer, "touch")))
		attestation->key->attested = CARD_ATTESTED;
	else
		log_info("the touch of a key in slot %02x is not proven: %s",
			attestation->key->slot,
			text_quote_words(bytes_of(why != NULL ? why : "no answer"), quoted));
}

static void on_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct attestation *attestation = operation->owner;
	json_t *answer = NULL;

	(void)words;
	attestation->operation = NULL;
	if (error == KS_OK)
		answer = json_loadb((const char *)result.data, result.len, 0, NULL);
	take(attestation, answer);
	json_decref(answer);
	ask(attestation);
}

static const struct operation_events events = {.done = on_done};

static bool operate(struct attestation *attestation)
{
	AUTO(text) request = request_for(attestation);
	struct frame frame = {.type = FRAME_ADMINISTER,
		.administer = {.request = bytes_of(request != NULL ? request : "")}};
	const struct operation_wish wish = {
		.frame = &frame, .fd = -1, .events = &events, .owner = attestation};

	return request != NULL && worker_operate(attestation->provider->worker, &wish,
					  &attestation->operation) == KS_OK;
}

static void ask(struct attestation *attestation)
{
	struct card_key *key = next_due(attestation->token);

	attestation->key = key;
	if (key != NULL)
		key->attested = CARD_ATTESTED_LOOKED_AT;
	if (key == NULL || !operate(attestation))
		finish(attestation);
}

/* ---- All of them ---- */

/* Each is a process, which a module could have started without end. */
static bool may_begin(struct agent *agent)
{
	uint64_t now_ms = uv_now(&agent->loop);

	if (agent->attestations_ms < now_ms)
		agent->attestations_ms = now_ms;
	if (agent->attestations_ms > now_ms + (AT_ONCE - 1) * EACH_MS)
		return false;
	agent->attestations_ms += EACH_MS;
	return true;
}

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct attestation *attestation = owner;

	attestation->wait = NULL;
	if (error != KS_OK) {
		log_warning("what a card attests can't be looked at: %s", words);
		finish(attestation);
		return;
	}
	provider_hold(provider);
	attestation->provider = provider;
	ask(attestation);
}

void attestation_begin(struct token *token)
{
	struct attestation *attestation;

	if (next_due(token) == NULL || provider_backend(VERIFIER) == NULL ||
		!may_begin(token->provider->agent))
		return;
	attestation = calloc(1, sizeof(*attestation));
	if (attestation == NULL)
		return;
	attestation->token = token;
	attestation->wait =
		provider_open(token->provider->agent, VERIFIER, false, on_opened, attestation);
	if (attestation->wait == NULL) {
		free(attestation);
		return;
	}
	token->card->attestation = attestation;
	token->card->end_attestation = end;
}

static void again(struct token *token)
{
	struct token_card *card = token->card;

	if (card == NULL)
		return;
	token_card_stop_asking(card);
	for (size_t i = 0; i < card->count; i++)
		card->keys[i].attested = CARD_ATTESTED_NOT;
	attestation_begin(token);
}

void attestation_again(struct agent *agent)
{
	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		for (struct token *token = provider->tokens; token != NULL; token = token->next)
			again(token);
}
