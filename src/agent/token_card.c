/*
 * Keeps what a worker says of a token's card.
 */
#include "token_card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foreign_text.h"
#include "keyring.h"

static void clear_keys(struct token_card *card)
{
	for (size_t i = 0; i < card->count; i++) {
		buf_deinit(&card->keys[i].blob);
		buf_deinit(&card->keys[i].attestation);
	}
	card->count = 0;
}

void token_card_stop_asking(struct token_card *card)
{
	if (card->attestation != NULL)
		card->end_attestation(card->attestation);
	card->attestation = NULL;
}

void token_card_free(struct token_card **card)
{
	if (*card == NULL)
		return;
	token_card_stop_asking(*card);
	clear_keys(*card);
	buf_deinit(&(*card)->intermediate);
	free((*card)->firmware);
	free((*card)->serial);
	free(*card);
	*card = NULL;
}

static struct card_key *find(struct token_card *card, struct bytes blob)
{
	for (size_t i = 0; card != NULL && i < card->count; i++)
		if (bytes_equal(buf_bytes(&card->keys[i].blob), blob))
			return &card->keys[i];
	return NULL;
}

static bool copy_key(struct card_key *to, const struct ks_key_facts *from)
{
	*to = (struct card_key){
		.slot = from->slot, .pin = from->pin, .touch = from->touch, .origin = from->origin};
	buf_put(&to->blob, from->blob);
	buf_put(&to->attestation, from->attestation);
	return !to->blob.failed && !to->attestation.failed;
}

static struct token_card *copy(const struct frame_card *said)
{
	struct token_card *card = calloc(1, sizeof(*card));
	bool good;

	if (card == NULL)
		return NULL;
	card->firmware = strndup((const char *)said->firmware.data, said->firmware.len);
	card->serial = strndup((const char *)said->serial.data, said->serial.len);
	buf_put(&card->intermediate, said->intermediate);
	good = card->firmware != NULL && card->serial != NULL && !card->intermediate.failed;
	for (size_t i = 0; i < said->count && good; i++)
		good = copy_key(&card->keys[card->count++], &said->keys[i]);
	if (!good)
		token_card_free(&card);
	return card;
}

/* Of one and the same proof it is not asked again. */
static void carry_over(struct token_card *to, struct token_card *from)
{
	if (from == NULL ||
		!bytes_equal(buf_bytes(&to->intermediate), buf_bytes(&from->intermediate)))
		return;
	for (size_t i = 0; i < to->count; i++) {
		const struct card_key *known = find(from, buf_bytes(&to->keys[i].blob));

		if (known != NULL && bytes_equal(buf_bytes(&known->attestation),
					     buf_bytes(&to->keys[i].attestation)))
			to->keys[i].attested = known->attested;
	}
}

enum ks_error token_card_set(struct token *token, const struct frame_card *said)
{
	struct token_card *card = copy(said);

	if (card == NULL)
		return KS_NO_MEMORY;
	if (token->card != NULL)
		token_card_stop_asking(token->card);
	carry_over(card, token->card);
	token_card_free(&token->card);
	token->card = card;
	return KS_OK;
}

struct card_key *token_card_key(const struct token *token, struct bytes blob)
{
	return find(token->card, blob);
}

bool token_card_proves_touch(const struct key *key)
{
	const struct key_source *source = key_source(key);
	struct public_key *parsed = NULL;
	const struct card_key *known = NULL;

	if (source == NULL || source->token->card == NULL || token_takes_keys(source->token))
		return false;
	if (public_key_parse(buf_bytes(&key->blob), &parsed) == KS_OK)
		known = token_card_key(source->token, buf_bytes(&parsed->plain));
	public_key_free(&parsed);
	return known != NULL && known->attested == CARD_ATTESTED;
}

/* ---- For status ---- */

json_t *token_card_json(const struct token *token)
{
	if (token->card == NULL)
		return json_null();
	return json_pack("{s:o,s:o}", "firmware", foreign_text(token->card->firmware), "serial",
		foreign_text(token->card->serial));
}

json_t *token_card_key_json(const struct token *token, struct bytes blob)
{
	static const char *const pins[KS_PIN_POLICY_COUNT] = {
		"unknown", "never", "once", "always", "match-once", "match-always"};
	static const char *const touches[KS_TOUCH_POLICY_COUNT] = {
		"unknown", "never", "always", "cached"};
	static const char *const origins[KS_ORIGIN_COUNT] = {"unknown", "generated", "imported"};
	const struct card_key *known = token_card_key(token, blob);
	char slot[3];

	if (known == NULL)
		return json_null();
	snprintf(slot, sizeof(slot), "%02x", known->slot);
	return json_pack("{s:s,s:s,s:s,s:s,s:b}", "slot", slot, "pin", pins[known->pin], "touch",
		touches[known->touch], "origin", origins[known->origin], "attested",
		known->attested == CARD_ATTESTED);
}
