/*
 * Signatures, RSA's private operation, and key agreement, as far as the slot's PIN and touch
 * policies let them.
 */
#include "authenticate.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "tlv.h"

#define TEMPLATE 0x7c
#define CHALLENGE 0x81
#define RESPONSE 0x82
#define OTHER_POINT 0x85
#define TOUCH_KEPT_MS 15000
#define RESULT_MAX 512

/* What stands between the command and the key; STATUS_OK: only a touch, if that. */
static unsigned check(struct card *card, const struct command *command, struct slot **out)
{
	struct slot *slot = slots_find(card->slots, command->p2);

	*out = slot;
	if (slot == NULL || slot->key == NULL)
		return STATUS_NO_REFERENCE;
	if (slot->algorithm != command->p1)
		return STATUS_BAD_PARAMETER;
	if (slot->pin != PIN_NEVER && !card->verified)
		return STATUS_SECURITY;
	if (slot->pin == PIN_ALWAYS && !card->fresh)
		return STATUS_SECURITY;
	return STATUS_OK;
}

bool authenticate_wants_touch(struct card *card, const struct command *command)
{
	struct slot *slot;

	if (!card->selected || command->instruction != AUTHENTICATE ||
		check(card, command, &slot) != STATUS_OK || slot->touch == TOUCH_NEVER)
		return false;
	return slot->touch == TOUCH_ALWAYS || card->touched_ms == 0 ||
	       card_now_ms() - card->touched_ms > TOUCH_KEPT_MS;
}

/* RSA without padding: the host has padded, or will take the padding away. */
static bool rsa(EVP_PKEY_CTX *context, struct bytes in, uint8_t *out, size_t *len)
{
	return EVP_PKEY_decrypt_init(context) > 0 &&
	       EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) > 0 &&
	       EVP_PKEY_decrypt(context, out, len, in.data, in.len) > 0;
}

static bool ecdsa(EVP_PKEY_CTX *context, struct bytes in, uint8_t *out, size_t *len)
{
	return EVP_PKEY_sign_init(context) > 0 &&
	       EVP_PKEY_sign(context, out, len, in.data, in.len) > 0;
}

static bool agree(
	EVP_PKEY_CTX *context, EVP_PKEY *own, struct bytes point, uint8_t *out, size_t *len)
{
	EVP_PKEY *other = EVP_PKEY_new();
	bool good = other != NULL && EVP_PKEY_copy_parameters(other, own) > 0 &&
		    EVP_PKEY_set1_encoded_public_key(other, point.data, point.len) > 0 &&
		    EVP_PKEY_derive_init(context) > 0 &&
		    EVP_PKEY_derive_set_peer(context, other) > 0 &&
		    EVP_PKEY_derive(context, out, len) > 0;

	EVP_PKEY_free(other);
	return good;
}

static bool compute(const struct slot *slot, struct bytes template, uint8_t *out, size_t *len)
{
	struct bytes challenge = tlv_find(template, CHALLENGE);
	struct bytes point = tlv_find(template, OTHER_POINT);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(slot->key, NULL);
	bool good = false;

	if (context != NULL && slot->algorithm == ALGORITHM_RSA_2048)
		good = challenge.len > 0 && rsa(context, challenge, out, len);
	else if (context != NULL && challenge.len > 0)
		good = challenge.len <= (slot->algorithm == ALGORITHM_P256 ? 32 : 48) &&
		       ecdsa(context, challenge, out, len);
	else if (context != NULL && point.len > 0)
		good = agree(context, slot->key, point, out, len);
	EVP_PKEY_CTX_free(context);
	return good;
}

unsigned authenticate(struct card *card, const struct command *command)
{
	struct bytes template = tlv_find(command->data, TEMPLATE);
	struct buf inside = {0};
	struct slot *slot;
	uint8_t result[RESULT_MAX];
	size_t len = sizeof(result);
	unsigned status = check(card, command, &slot);

	card->fresh = false;
	if (status != STATUS_OK)
		return status;
	if (template.data == NULL || !compute(slot, template, result, &len))
		return STATUS_BAD_DATA;
	card->counts.signatures++;
	tlv_put(&inside, RESPONSE, BYTES(result, len));
	tlv_put(&card->rest, TEMPLATE, buf_bytes(&inside));
	buf_deinit(&inside);
	return STATUS_OK;
}
