/*
 * Tries are counted here: each wrong value costs one, a right one gives them back.
 */
#include "pin.h"

#include <string.h>

#define REFERENCE_PIN 0x80
#define REFERENCE_PUK 0x81
#define LOG_OUT 0xff
#define SHORTEST 6
#define PADDING 0xff

void pin_set(struct reference *reference, const char *text)
{
	size_t len = strnlen(text, PIN_LEN);

	memset(reference->value, PADDING, PIN_LEN);
	memcpy(reference->value, text, len);
	reference->most = PIN_TRIES;
	reference->tries = PIN_TRIES;
	reference->initial = true;
}

static unsigned tries_left(const struct reference *reference)
{
	return reference->tries == 0 ? STATUS_BLOCKED : STATUS_TRIES | reference->tries;
}

static unsigned compare(struct card *card, struct reference *reference, const uint8_t *value)
{
	if (reference->tries == 0)
		return STATUS_BLOCKED;
	card->counts.pins++;
	card->pins_here++;
	if (memcmp(reference->value, value, PIN_LEN) == 0) {
		reference->tries = reference->most;
		return STATUS_OK;
	}
	card->counts.wrong++;
	reference->tries--;
	return tries_left(reference);
}

/* Digits of the allowed number, then padding. */
static bool acceptable(const uint8_t *value)
{
	size_t len = 0;

	while (len < PIN_LEN && value[len] != PADDING)
		len++;
	for (size_t i = len; i < PIN_LEN; i++) {
		if (value[i] != PADDING)
			return false;
	}
	return len >= SHORTEST;
}

static void replace(struct reference *reference, const uint8_t *value)
{
	memcpy(reference->value, value, PIN_LEN);
	reference->tries = reference->most;
	reference->initial = false;
}

unsigned pin_verify(struct card *card, const struct command *command)
{
	unsigned status;

	if (command->p2 != REFERENCE_PIN)
		return STATUS_NO_REFERENCE;
	if (command->p1 == LOG_OUT) {
		card->verified = card->fresh = false;
		return command->data.len == 0 ? STATUS_OK : STATUS_BAD_DATA;
	}
	if (command->p1 != 0)
		return STATUS_BAD_PARAMETER;
	if (command->data.len == 0)
		return card->verified ? STATUS_OK : tries_left(&card->pin);
	if (command->data.len != PIN_LEN)
		return STATUS_BAD_DATA;
	status = compare(card, &card->pin, command->data.data);
	card->verified = card->fresh = status == STATUS_OK;
	return status;
}

unsigned pin_change(struct card *card, const struct command *command)
{
	struct reference *reference = command->p2 == REFERENCE_PUK ? &card->puk : &card->pin;
	const uint8_t *value = command->data.data;
	unsigned status;

	if (command->p2 != REFERENCE_PIN && command->p2 != REFERENCE_PUK)
		return STATUS_NO_REFERENCE;
	if (command->data.len != (size_t)2 * PIN_LEN || !acceptable(value + PIN_LEN))
		return STATUS_BAD_DATA;
	status = compare(card, reference, value);
	if (status == STATUS_OK)
		replace(reference, value + PIN_LEN);
	return status;
}

unsigned pin_unblock(struct card *card, const struct command *command)
{
	const uint8_t *value = command->data.data;
	unsigned status;

	if (command->p2 != REFERENCE_PIN)
		return STATUS_NO_REFERENCE;
	if (command->data.len != (size_t)2 * PIN_LEN || !acceptable(value + PIN_LEN))
		return STATUS_BAD_DATA;
	status = compare(card, &card->puk, value);
	if (status == STATUS_OK)
		replace(&card->pin, value + PIN_LEN);
	return status;
}
