/*
 * What the card shows without a PIN: how it is called, its unique number, the certificates.
 */
#include "objects.h"

#include <string.h>

#include "tlv.h"

#define BY_NAME 0x04
#define DISCOVERY 0x7e
#define HOLDER_UNIQUE_ID 0x5fc102
#define SHORTEST_NAME 5

static const uint8_t application[] = {
	0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00};

unsigned objects_select(struct card *card, const struct command *command)
{
	static const uint8_t properties[] = {0x61, 0x11, 0x4f, 0x06, 0x00, 0x00, 0x10, 0x00, 0x01,
		0x00, 0x79, 0x07, 0x4f, 0x05, 0xa0, 0x00, 0x00, 0x03, 0x08};
	size_t len = command->data.len;

	if (command->p1 != BY_NAME || len < SHORTEST_NAME || len > sizeof(application) ||
		memcmp(command->data.data, application, len) != 0)
		return STATUS_NOT_FOUND;
	card->openpgp_selected = false;
	card->selected = true;
	buf_put(&card->rest, BYTES(properties, sizeof(properties)));
	return STATUS_OK;
}

/* Its name, and that the PIN of the application is the one to be used. */
static void put_discovery(struct buf *out)
{
	static const uint8_t pin_policy[] = {0x40, 0x00};
	struct buf inside = {0};

	tlv_put(&inside, 0x4f, BYTES(application, sizeof(application)));
	tlv_put(&inside, 0x5f2f, BYTES(pin_policy, sizeof(pin_policy)));
	tlv_put(out, DISCOVERY, buf_bytes(&inside));
	buf_deinit(&inside);
}

/* A FASC-N that belongs to nobody (all 9999), and a GUID that ends with the serial number. */
static void put_holder(const struct card *card, struct buf *out)
{
	static const uint8_t fasc_n[] = {0xd4, 0xe7, 0x39, 0xda, 0x73, 0x9c, 0xed, 0x39, 0xce, 0x73,
		0x9d, 0x83, 0x68, 0x58, 0x21, 0x08, 0x42, 0x10, 0x84, 0x21, 0xc8, 0x42, 0x10, 0xc3,
		0xeb};
	uint8_t guid[16] = {0x4b, 0x65, 0x79, 0x73, 0x74, 0x69, 0x6c, 0x65};
	struct buf inside = {0};

	for (unsigned i = 0; i < 4; i++)
		guid[12 + i] = (uint8_t)(card->serial >> (24 - 8 * i));
	tlv_put(&inside, 0x30, BYTES(fasc_n, sizeof(fasc_n)));
	tlv_put(&inside, 0x34, BYTES(guid, sizeof(guid)));
	tlv_put(&inside, 0x35, bytes_of("20991231"));
	tlv_put(&inside, 0x3e, BYTES(NULL, 0));
	tlv_put(&inside, 0xfe, BYTES(NULL, 0));
	tlv_put(out, 0x53, buf_bytes(&inside));
	buf_deinit(&inside);
}

static void put_certificate(const struct slot *slot, struct buf *out)
{
	struct buf inside = {0};

	tlv_put(&inside, 0x70, buf_bytes(&slot->certificate));
	tlv_put_u8(&inside, 0x71, 0); /* not compressed */
	tlv_put(&inside, 0xfe, BYTES(NULL, 0));
	tlv_put(out, 0x53, buf_bytes(&inside));
	buf_deinit(&inside);
}

static const struct slot *certified(const struct card *card, unsigned object)
{
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot *slot = &card->slots[i];

		if (slot->object == object && slot->certificate.len > 0)
			return slot;
	}
	return NULL;
}

unsigned objects_get(struct card *card, const struct command *command)
{
	struct bytes tag = tlv_find(command->data, 0x5c);
	const struct slot *slot;
	unsigned object = 0;

	if (command->p1 != 0x3f || command->p2 != 0xff)
		return STATUS_BAD_PARAMETER;
	if (tag.data == NULL || tag.len < 1 || tag.len > 3)
		return STATUS_BAD_DATA;
	for (size_t i = 0; i < tag.len; i++)
		object = object << 8 | tag.data[i];
	slot = certified(card, object);
	if (object == DISCOVERY)
		put_discovery(&card->rest);
	else if (object == HOLDER_UNIQUE_ID)
		put_holder(card, &card->rest);
	else if (slot != NULL)
		put_certificate(slot, &card->rest);
	else
		return STATUS_NOT_FOUND;
	return STATUS_OK;
}
