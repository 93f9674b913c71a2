/*
 * What the card in a token says of itself, as a worker reported it: shown in status, and by which a
 * touch counts as presence where that is proven (attestation.h). The rest is the worker's word.
 */
#ifndef AGENT_TOKEN_CARD_H
#define AGENT_TOKEN_CARD_H

#include <jansson.h>

#include <keystile/frame.h>

struct attestation;
struct key;
struct token;

enum card_attested {
	CARD_ATTESTED_NOT, /* nobody has looked yet, or it proves nothing */
	CARD_ATTESTED_LOOKED_AT,
	CARD_ATTESTED, /* a touch for each signature is proven */
};

struct card_key {
	struct buf blob;
	struct buf attestation;
	uint8_t slot;
	uint8_t pin;	/* enum ks_pin_policy */
	uint8_t touch;	/* enum ks_touch_policy */
	uint8_t origin; /* enum ks_origin */
	enum card_attested attested;
};

struct token_card {
	char *firmware;
	char *serial;
	struct buf intermediate;
	struct card_key keys[KS_KEY_FACTS_MAX];
	size_t count;
	struct attestation *attestation; /* its keys are being asked about; or NULL */
	void (*end_attestation)(struct attestation *attestation);
};

/* Replaces what was said before. What was proven of a key stays proven for the same certificates.
 */
KS_MUST_CHECK enum ks_error token_card_set(struct token *token, const struct frame_card *said);
void token_card_free(struct token_card **card);
/* What is being asked about its keys is not wanted any more. */
void token_card_stop_asking(struct token_card *card);
/* By the key's blob, without certificate; NULL: the card says nothing of it. */
struct card_key *token_card_key(const struct token *token, struct bytes blob);
/* A signature with that key, which is offered, is made with a touch for it and not otherwise. */
bool token_card_proves_touch(const struct key *key);

/* For status; null where nothing is known. */
json_t *token_card_json(const struct token *token);
json_t *token_card_key_json(const struct token *token, struct bytes blob);

#endif
