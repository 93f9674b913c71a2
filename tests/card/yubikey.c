/*
 * Version, serial number, what is known of a key, and its attestation. A card of another maker
 * knows none of it.
 */
#include "yubikey.h"

#include "management.h"
#include "tlv.h"

#define PIN_REFERENCE 0x80
#define PUK_REFERENCE 0x81
#define ALGORITHM_TRIPLE_DES 0x03
#define ORIGIN_GENERATED 1
#define ORIGIN_IMPORTED 2

enum metadata { ALGORITHM = 1, POLICY, ORIGIN, PUBLIC_KEY, IS_DEFAULT, RETRIES };

static unsigned reference_metadata(const struct reference *reference, struct buf *out)
{
	uint8_t retries[] = {(uint8_t)reference->most, (uint8_t)reference->tries};

	tlv_put_u8(out, ALGORITHM, 0xff);
	tlv_put_u8(out, IS_DEFAULT, reference->initial);
	tlv_put(out, RETRIES, BYTES(retries, sizeof(retries)));
	return STATUS_OK;
}

static unsigned slot_metadata(const struct slot *slot, struct buf *out)
{
	uint8_t policy[] = {(uint8_t)slot->pin, (uint8_t)slot->touch};
	struct buf public = {0};
	bool good;

	tlv_put_u8(out, ALGORITHM, (uint8_t)slot->algorithm);
	tlv_put(out, POLICY, BYTES(policy, sizeof(policy)));
	tlv_put_u8(out, ORIGIN, slot->imported ? ORIGIN_IMPORTED : ORIGIN_GENERATED);
	good = slot_put_public(slot, &public);
	tlv_put(out, PUBLIC_KEY, buf_bytes(&public));
	buf_deinit(&public);
	return good ? STATUS_OK : STATUS_FAILED;
}

static unsigned management_metadata(struct buf *out)
{
	static const uint8_t policy[] = {0, TOUCH_NEVER};

	tlv_put_u8(out, ALGORITHM, ALGORITHM_TRIPLE_DES);
	tlv_put(out, POLICY, BYTES(policy, sizeof(policy)));
	tlv_put_u8(out, IS_DEFAULT, 1);
	return STATUS_OK;
}

static unsigned metadata(struct card *card, unsigned reference)
{
	const struct slot *slot = slots_find(card->slots, reference);

	if (reference == PIN_REFERENCE)
		return reference_metadata(&card->pin, &card->rest);
	if (reference == PUK_REFERENCE)
		return reference_metadata(&card->puk, &card->rest);
	if (reference == MANAGEMENT_KEY)
		return management_metadata(&card->rest);
	if (slot == NULL || slot->key == NULL)
		return STATUS_NO_REFERENCE;
	return slot_metadata(slot, &card->rest);
}

static unsigned attest(struct card *card, unsigned reference)
{
	const struct slot *slot = slots_find(card->slots, reference);

	if (slot == NULL || slot->key == NULL)
		return STATUS_NO_REFERENCE;
	if (slot->attestation.len == 0)
		return STATUS_BAD_DATA;
	buf_put(&card->rest, buf_bytes(&slot->attestation));
	return STATUS_OK;
}

unsigned yubikey_command(struct card *card, const struct command *command)
{
	if (!card->yubikey)
		return STATUS_UNKNOWN;
	switch (command->instruction) {
	case GET_VERSION:
		buf_put(&card->rest, BYTES(card->version, sizeof(card->version)));
		return STATUS_OK;
	case GET_SERIAL:
		buf_put_u32(&card->rest, card->serial);
		return STATUS_OK;
	case GET_METADATA:
		return metadata(card, command->p2);
	case ATTEST:
		return attest(card, command->p1);
	default:
		return STATUS_UNKNOWN;
	}
}
