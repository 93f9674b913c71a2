/*
 * Nothing but what can be read: a card without keys.
 */
#include "openpgp.h"

#include <string.h>

#include "tlv.h"

#define BY_NAME 0x04
#define GET_PLAIN_DATA 0xca
#define AID_LEN 16
#define FINGERPRINTS_LEN 60
#define DATES_LEN 12

enum object {
	AID = 0x4f,
	HISTORICAL = 0x5f52,
	APPLICATION = 0x6e,
	DISCRETIONARY = 0x73,
	EXTENDED_CAPABILITIES = 0xc0,
	SIGNING_ALGORITHM,
	DECIPHERING_ALGORITHM,
	AUTHENTICATING_ALGORITHM,
	PASSWORDS,
	FINGERPRINTS,
	AUTHORITIES,
	DATES = 0xcd,
};

static const uint8_t name[] = {0xd2, 0x76, 0x00, 0x01, 0x24, 0x01};

unsigned openpgp_select(struct card *card, const struct command *command)
{
	if (!card->openpgp || command->p1 != BY_NAME || command->data.len < sizeof(name) ||
		memcmp(command->data.data, name, sizeof(name)) != 0)
		return STATUS_NOT_FOUND;
	card_reset(card);
	card->openpgp_selected = true;
	return STATUS_OK;
}

/* Version 3.4, of a maker that is none, and the serial number. */
static void put_aid(const struct card *card, struct buf *out)
{
	uint8_t aid[AID_LEN] = {0xd2, 0x76, 0x00, 0x01, 0x24, 0x01, 0x03, 0x04, 0xff, 0xfe};

	for (unsigned i = 0; i < 4; i++)
		aid[10 + i] = (uint8_t)(card->serial >> (24 - 8 * i));
	buf_put(out, BYTES(aid, sizeof(aid)));
}

/* Those that are always the same. NULL: there is no such. */
static struct bytes constant(unsigned object)
{
	static const uint8_t nothing[FINGERPRINTS_LEN];
	static const uint8_t historical[] = {0x00, 0x73, 0x00, 0x00, 0x80, 0x05, 0x90, 0x00};
	static const uint8_t capabilities[] = {0x7c, 0, 0, 0, 0, 0xff, 0, 0xff, 0, 0};
	static const uint8_t rsa[] = {0x01, 0x08, 0x00, 0x00, 0x20, 0x00};
	static const uint8_t passwords[] = {0, 0x7f, 0x7f, 0x7f, 3, 0, 3};

	switch (object) {
	case HISTORICAL:
		return BYTES(historical, sizeof(historical));
	case EXTENDED_CAPABILITIES:
		return BYTES(capabilities, sizeof(capabilities));
	case SIGNING_ALGORITHM:
	case DECIPHERING_ALGORITHM:
	case AUTHENTICATING_ALGORITHM:
		return BYTES(rsa, sizeof(rsa));
	case PASSWORDS:
		return BYTES(passwords, sizeof(passwords));
	case FINGERPRINTS:
	case AUTHORITIES:
		return BYTES(nothing, sizeof(nothing));
	case DATES:
		return BYTES(nothing, DATES_LEN);
	default:
		return BYTES(NULL, 0);
	}
}

static void put_application(const struct card *card, struct buf *out)
{
	struct buf aid = {0}, inside = {0};

	put_aid(card, &aid);
	for (unsigned object = EXTENDED_CAPABILITIES; object <= DATES; object++)
		if (constant(object).data != NULL)
			tlv_put(&inside, object, constant(object));
	tlv_put(out, AID, buf_bytes(&aid));
	tlv_put(out, HISTORICAL, constant(HISTORICAL));
	tlv_put(out, DISCRETIONARY, buf_bytes(&inside));
	buf_deinit(&aid);
	buf_deinit(&inside);
}

unsigned openpgp_command(struct card *card, const struct command *command)
{
	unsigned object = (unsigned)command->p1 << 8 | command->p2;

	if (command->instruction != GET_PLAIN_DATA)
		return STATUS_UNKNOWN;
	if (object == AID)
		put_aid(card, &card->rest);
	else if (object == APPLICATION)
		put_application(card, &card->rest);
	else if (constant(object).data != NULL)
		buf_put(&card->rest, constant(object));
	else
		return STATUS_NO_REFERENCE;
	return STATUS_OK;
}
