/*
 * Authentication by a key that both sides have (Triple DES, the one that every card leaves the
 * factory with), new keys and certificates.
 */
#include "management.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "tlv.h"

#define DEFAULT_ALGORITHM 0x00 /* Triple DES, too */
#define TRIPLE_DES 0x03
#define TEMPLATE 0x7c
#define WITNESS 0x80
#define CHALLENGE 0x81
#define RESPONSE 0x82
#define PUBLIC_KEY 0x7f49

static const uint8_t key[] = {
	1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};

static bool cipher(bool encrypt, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int len = 0;
	bool good = context != NULL &&
		    EVP_CipherInit_ex(context, EVP_des_ede3_ecb(), NULL, key, NULL, encrypt) > 0 &&
		    EVP_CIPHER_CTX_set_padding(context, 0) > 0 &&
		    EVP_CipherUpdate(context, out, &len, in, CHALLENGE_LEN) > 0 &&
		    len == CHALLENGE_LEN;

	EVP_CIPHER_CTX_free(context);
	return good;
}

static unsigned answer(struct card *card, unsigned tag, const uint8_t *value)
{
	struct buf inside = {0};

	tlv_put(&inside, tag, BYTES(value, CHALLENGE_LEN));
	tlv_put(&card->rest, TEMPLATE, buf_bytes(&inside));
	buf_deinit(&inside);
	return STATUS_OK;
}

/* The host is to show what it makes of these bytes: encrypts the challenge, or decrypts the
 * witness. */
static unsigned ask(struct card *card, unsigned tag)
{
	uint8_t shown[CHALLENGE_LEN];

	if (RAND_bytes(card->challenge, CHALLENGE_LEN) <= 0)
		return STATUS_FAILED;
	card->challenge_tag = tag;
	memcpy(shown, card->challenge, CHALLENGE_LEN);
	if (tag == WITNESS && !cipher(true, card->challenge, shown))
		return STATUS_FAILED;
	return answer(card, tag, shown);
}

static bool proven(struct card *card, unsigned tag, struct bytes value)
{
	uint8_t expected[CHALLENGE_LEN];
	bool asked = card->challenge_tag == tag;

	card->challenge_tag = 0;
	memcpy(expected, card->challenge, CHALLENGE_LEN);
	if (!asked || value.data == NULL || value.len != CHALLENGE_LEN)
		return false;
	if (tag == CHALLENGE && !cipher(true, card->challenge, expected))
		return false;
	return memcmp(value.data, expected, CHALLENGE_LEN) == 0;
}

unsigned management_authenticate(struct card *card, const struct command *command)
{
	struct bytes template = tlv_find(command->data, TEMPLATE);
	struct bytes witness = tlv_find(template, WITNESS);
	struct bytes challenge = tlv_find(template, CHALLENGE);
	struct bytes response = tlv_find(template, RESPONSE);
	uint8_t made[CHALLENGE_LEN];

	if (command->p1 != DEFAULT_ALGORITHM && command->p1 != TRIPLE_DES)
		return STATUS_BAD_PARAMETER;
	if (witness.data != NULL && witness.len == 0)
		return ask(card, WITNESS);
	if (challenge.data != NULL && challenge.len == 0)
		return ask(card, CHALLENGE);
	card->managed = response.len > 0 ? proven(card, CHALLENGE, response)
					 : proven(card, WITNESS, witness);
	if (!card->managed)
		return STATUS_SECURITY;
	if (challenge.len == 0)
		return STATUS_OK;
	if (challenge.len != CHALLENGE_LEN || !cipher(true, challenge.data, made))
		return STATUS_BAD_DATA;
	return answer(card, RESPONSE, made);
}

static EVP_PKEY *generate(enum algorithm algorithm)
{
	if (algorithm == ALGORITHM_RSA_2048)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	if (algorithm == ALGORITHM_P256)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	return algorithm == ALGORITHM_P384 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384") : NULL;
}

unsigned management_generate(struct card *card, const struct command *command)
{
	struct bytes template = tlv_find(command->data, 0xac), algorithm = tlv_find(template, 0x80);
	struct slot *slot = slots_find(card->slots, command->p2);
	struct buf public = {0};
	EVP_PKEY *fresh;

	if (!card->managed)
		return STATUS_SECURITY;
	if (slot == NULL || algorithm.len != 1)
		return STATUS_BAD_DATA;
	fresh = generate((enum algorithm)algorithm.data[0]);
	if (fresh == NULL)
		return STATUS_BAD_DATA;
	EVP_PKEY_free(slot->key);
	slot->key = fresh;
	slot->algorithm = (enum algorithm)algorithm.data[0];
	slot->imported = false;
	buf_clear(&slot->attestation);
	slot_put_public(slot, &public);
	tlv_put(&card->rest, PUBLIC_KEY, buf_bytes(&public));
	buf_deinit(&public);
	return STATUS_OK;
}

unsigned management_put(struct card *card, const struct command *command)
{
	struct bytes name = tlv_find(command->data, 0x5c);
	struct bytes certificate = tlv_find(tlv_find(command->data, 0x53), 0x70);

	if (!card->managed)
		return STATUS_SECURITY;
	for (size_t i = 0; i < SLOT_COUNT && name.len == 3; i++) {
		struct slot *slot = &card->slots[i];

		if (slot->object !=
			((unsigned)name.data[0] << 16 | (unsigned)name.data[1] << 8 | name.data[2]))
			continue;
		buf_clear(&slot->certificate);
		buf_put(&slot->certificate, certificate);
		return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}
