/*
 * What a YubiKey says of its keys: GET METADATA, since firmware 5.3, and for those that always want
 * a touch the certificate by which it attests that. All of it is the card's word; the agent
 * verifies the certificate for itself.
 */
#include <string.h>

#include <keystile/cleanup.h>

#include "piv.h"

#define GET_DATA 0xcb
#define GET_METADATA 0xf7
#define ATTEST 0xf9

/* Elements of a key's metadata. */
enum element { ALGORITHM = 1, POLICY, ORIGIN, PUBLIC_KEY };

enum algorithm {
	RSA_3072 = 0x05,
	RSA_1024 = 0x06,
	RSA_2048 = 0x07,
	P256 = 0x11,
	P384 = 0x14,
	RSA_4096 = 0x16,
	ED25519 = 0xe0
};

/* Until every key that the token shows was met: most cards have used the first four at most. */
static const uint8_t slots[PIV_SLOTS] = {0x9a, 0x9c, 0x9d, 0x9e, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
	0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95};

static bool put_public(struct buf *blob, unsigned algorithm, struct bytes public)
{
	struct bytes point = piv_element(public, 0x86);

	switch (algorithm) {
	case P256:
		return public_key_put_ecdsa(blob, KEY_ECDSA_P256, point) == KS_OK;
	case P384:
		return public_key_put_ecdsa(blob, KEY_ECDSA_P384, point) == KS_OK;
	case ED25519:
		public_key_put_ed25519(blob, point);
		break;
	case RSA_1024:
	case RSA_2048:
	case RSA_3072:
	case RSA_4096:
		public_key_put_rsa(blob, piv_element(public, 0x82), piv_element(public, 0x81));
		break;
	default:
		return false;
	}
	return buf_status(blob) == KS_OK;
}

static uint8_t known(unsigned value, unsigned highest)
{
	return (uint8_t)(value <= highest ? value : 0);
}

/* False: the metadata makes no sense, or the token does not show that key. */
static bool understand(struct bytes metadata, const struct piv_wanted *wanted, struct piv_key *key)
{
	struct bytes algorithm = piv_element(metadata, ALGORITHM);
	struct bytes policy = piv_element(metadata, POLICY);
	struct bytes origin = piv_element(metadata, ORIGIN);

	if (algorithm.len != 1 || policy.len != 2 || origin.len != 1 ||
		!put_public(&key->blob, algorithm.data[0], piv_element(metadata, PUBLIC_KEY)) ||
		key_list_find(wanted->keys, buf_bytes(&key->blob)) == NULL)
		return false;
	key->facts.pin = known(policy.data[0], KS_PIN_POLICY_COUNT - 1);
	key->facts.touch = known(policy.data[1], KS_TOUCH_POLICY_COUNT - 1);
	key->facts.origin = known(origin.data[0], KS_ORIGIN_COUNT - 1);
	return true;
}

/* False: the card does not know the command at all. */
static bool read_slot(
	struct card *card, uint8_t slot, const struct piv_wanted *wanted, struct piv_facts *facts)
{
	const struct card_command command = {.instruction = GET_METADATA, .p2 = slot};
	struct piv_key key = {.facts = {.slot = slot}};
	AUTO(buf) answer = {0};
	unsigned status = card_ask(card, &command, &answer);

	if (status == CARD_OK && understand(buf_bytes(&answer), wanted, &key))
		facts->keys[facts->count++] = key;
	else
		buf_deinit(&key.blob);
	return status != 0 && status != 0x6d00;
}

static void attest(struct card *card, struct piv_key *key)
{
	const struct card_command command = {.instruction = ATTEST, .p1 = key->facts.slot};

	if (card_ask(card, &command, &key->attestation) != CARD_OK)
		buf_clear(&key->attestation);
}

/* The certificate of the key that attests. */
static void read_intermediate(struct card *card, struct buf *out)
{
	static const uint8_t tag[] = {0x5c, 0x03, 0x5f, 0xff, 0x01};
	const struct card_command command = {
		.instruction = GET_DATA, .p1 = 0x3f, .p2 = 0xff, .data = BYTES(tag, sizeof(tag))};
	AUTO(buf) answer = {0};

	if (card_ask(card, &command, &answer) == CARD_OK)
		buf_put(out, piv_element(piv_element(buf_bytes(&answer), 0x53), 0x70));
}

/* Only where it is of use: the card takes a while for each. */
static void read_attestations(struct card *card, struct piv_facts *facts)
{
	bool any = false;

	for (size_t i = 0; i < facts->count; i++) {
		struct piv_key *key = &facts->keys[i];

		if (key->facts.touch == KS_TOUCH_ALWAYS && key->facts.origin == KS_ORIGIN_GENERATED)
			attest(card, key);
		any |= key->attestation.len > 0;
	}
	if (any)
		read_intermediate(card, &facts->intermediate);
}

void piv_read_keys(struct card *card, const struct piv_wanted *wanted, struct piv_facts *facts)
{
	for (size_t i = 0; i < PIV_SLOTS && facts->count < wanted->keys->count; i++)
		if (!read_slot(card, slots[i], wanted, facts))
			break;
	read_attestations(card, facts);
	for (size_t i = 0; i < facts->count; i++) {
		struct piv_key *key = &facts->keys[i];

		key->facts.blob = buf_bytes(&key->blob);
		key->facts.attestation = buf_bytes(&key->attestation);
	}
}
