/*
 * Nothing waits here: while nobody has touched it, the token says so at once, and the host asks
 * again. The light stays on for a while after each time.
 */
#include "u2f.h"

#include <string.h>

#include "command.h"
#include "token.h"

#define CHALLENGE_LEN 32
#define LIGHT_MS 2000

enum status_word {
	SW_OK = 0x9000,
	SW_CONDITIONS = 0x6985,
	SW_WRONG_DATA = 0x6a80,
	SW_WRONG_LENGTH = 0x6700,
	SW_CLASS = 0x6e00,
	SW_INSTRUCTION = 0x6d00,
};

enum instruction { REGISTER = 1, AUTHENTICATE = 2, VERSION = 3 };
enum control { ENFORCE_TOUCH = 3, CHECK_ONLY = 7, NO_TOUCH = 8 };

struct apdu {
	uint8_t class;
	uint8_t instruction;
	uint8_t control;
	struct span data;
};

struct answer {
	uint8_t data[2048];
	size_t len;
};

static void put(struct answer *answer, const void *data, size_t len)
{
	memcpy(answer->data + answer->len, data, len);
	answer->len += len;
}

/* Extended lengths only, as CTAPHID has it. */
static bool read_apdu(const uint8_t *message, size_t len, struct apdu *out)
{
	if (len < 4)
		return false;
	*out = (struct apdu){.class = message[0], .instruction = message[1], .control = message[2]};
	if (len >= 7) {
		out->data.data = message + 7;
		out->data.len = (size_t)message[5] << 8 | message[6];
	}
	return out->data.len == 0 || out->data.len <= len - 7;
}

static bool touched(struct token *token)
{
	struct person *person = &token->person;

	token->counts.touches++;
	if (person->touches_at_once || person->u2f_touched) {
		person->u2f_touched = false;
		person->u2f_until_ms = 0;
		return true;
	}
	person->u2f_until_ms = now_ms() + LIGHT_MS;
	return false;
}

static void sign(EVP_PKEY *key, const uint8_t *data, size_t len, struct answer *answer)
{
	answer->len += key_sign(key, KEY_ES256, (struct span){.data = data, .len = len},
		answer->data + answer->len);
}

static enum status_word enroll(struct token *token, const struct apdu *apdu, struct answer *answer)
{
	const uint8_t *challenge = apdu->data.data;
	uint8_t signed_part[1 + 2 * 32 + STORE_U2F_ID_LEN + 65] = {0};
	uint8_t point[65] = {4};
	const struct credential *made = NULL;

	if (apdu->data.len != 2 * CHALLENGE_LEN)
		return SW_WRONG_LENGTH;
	if (!touched(token))
		return SW_CONDITIONS;
	made = store_add_u2f(&token->store, challenge + CHALLENGE_LEN);
	key_point(made->key, point + 1, point + 33);
	put(answer, "\x05", 1);
	put(answer, point, sizeof(point));
	put(answer, &(uint8_t){STORE_U2F_ID_LEN}, 1);
	put(answer, made->id, made->id_len);
	put(answer, token->store.certificate, token->store.certificate_len);
	memcpy(signed_part + 1, challenge + CHALLENGE_LEN, 32);
	memcpy(signed_part + 33, challenge, 32);
	memcpy(signed_part + 65, made->id, made->id_len);
	memcpy(signed_part + 65 + made->id_len, point, sizeof(point));
	sign(token->store.attestation, signed_part, sizeof(signed_part), answer);
	return SW_OK;
}

static const struct credential *find(const struct token *token, const struct apdu *apdu)
{
	const struct span *data = &apdu->data;
	struct span id = {0};

	if (data->len <= 2 * 32 + 1 || data->data[64] != data->len - 65)
		return NULL;
	id.data = data->data + 65;
	id.len = data->data[64];
	return store_find(&token->store, data->data + 32, id);
}

static enum status_word authenticate(
	struct token *token, const struct apdu *apdu, struct answer *answer)
{
	const struct credential *found = find(token, apdu);
	uint8_t signed_part[AUTH_DATA_MAX + CHALLENGE_LEN];
	size_t len = 0;

	if (found == NULL || found->algorithm != KEY_ES256 || found->protect == PROTECT_PIN)
		return SW_WRONG_DATA;
	if (apdu->control == CHECK_ONLY || (apdu->control != NO_TOUCH && !touched(token)))
		return SW_CONDITIONS;
	len = command_auth_data(
		token, found->rp_hash, apdu->control == ENFORCE_TOUCH ? FLAG_UP : 0, signed_part);
	memcpy(signed_part + len, apdu->data.data, CHALLENGE_LEN);
	put(answer, signed_part + 32, 5);
	sign(found->key, signed_part, len + CHALLENGE_LEN, answer);
	return SW_OK;
}

static enum status_word run(struct token *token, const struct apdu *apdu, struct answer *answer)
{
	if (apdu->class != 0)
		return SW_CLASS;
	if (apdu->instruction == REGISTER)
		return enroll(token, apdu, answer);
	if (apdu->instruction == AUTHENTICATE)
		return authenticate(token, apdu, answer);
	if (apdu->instruction != VERSION)
		return SW_INSTRUCTION;
	put(answer, "U2F_V2", 6);
	return SW_OK;
}

void u2f_run(struct token *token, const uint8_t *message, size_t len)
{
	static struct answer answer;
	struct apdu apdu = {0};
	enum status_word status = SW_WRONG_LENGTH;

	token->counts.u2f++;
	answer.len = 0;
	if (read_apdu(message, len, &apdu))
		status = run(token, &apdu, &answer);
	if (status != SW_OK)
		answer.len = 0;
	put(&answer, (uint8_t[]){(uint8_t)(status >> 8), (uint8_t)status}, 2);
	hid_reply(token, HID_MSG, answer.data, answer.len);
}
