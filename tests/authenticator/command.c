/* Takes a command's number and its CBOR, runs it, and sends status and CBOR back. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <cbor.h>

static enum ctap_status reset(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	uint64_t age = now_ms() - token->powered_ms;
	enum ctap_status status = CTAP_OK;

	(void)parameters;
	(void)answer;
	if (token->settings.reset_ms > 0 && age > token->settings.reset_ms)
		return CTAP_NOT_ALLOWED;
	status = command_touch(token);
	if (status == CTAP_OK)
		token_clear(token);
	return status;
}

static enum ctap_status selection(
	struct token *token, const cbor_item_t *parameters, cbor_item_t **answer)
{
	(void)parameters;
	(void)answer;
	return command_touch(token);
}

static const struct {
	uint8_t number;
	bool parameters; /* has to have them */
	command_function *run;
} commands[] = {
	{0x01, true, make_credential},
	{0x02, true, get_assertion},
	{0x04, false, get_info},
	{0x06, true, client_pin},
	{0x07, false, reset},
	{0x08, false, get_next_assertion},
	{0x0a, true, credential_management},
	{0x0b, false, selection},
	{0x41, true, credential_management},
};

static bool knows(const struct token *token, uint8_t number)
{
	if (number == 0x0a || number == 0x41)
		return token->settings.management;
	return number != 0x0b || token->settings.permissions;
}

static enum ctap_status run(
	struct token *token, const uint8_t *message, size_t len, cbor_item_t **answer)
{
	struct cbor_load_result result = {0};
	cbor_item_t *parameters = NULL;
	enum ctap_status status = CTAP_INVALID_COMMAND;

	if (len > 1) {
		parameters = cbor_load(message + 1, len - 1, &result);
		if (parameters == NULL || result.read != len - 1 || !cbor_isa_map(parameters)) {
			if (parameters != NULL)
				cbor_decref(&parameters);
			return CTAP_INVALID_CBOR;
		}
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (commands[i].number != message[0] || !knows(token, message[0]))
			continue;
		status = commands[i].parameters && parameters == NULL
				 ? CTAP_MISSING_PARAMETER
				 : commands[i].run(token, parameters, answer);
	}
	if (parameters != NULL)
		cbor_decref(&parameters);
	return status;
}

void command_forget(struct token *token)
{
	get_assertion_forget(token);
	credential_management_forget(token);
}

static void count(struct token *token, uint8_t number)
{
	if (number < COUNTS_COMMANDS)
		token->counts.commands[number]++;
}

/* What getNextAssertion goes on with is forgotten by any other command, and so on. */
static void forget_others(struct token *token, uint8_t number)
{
	if (number != 0x08 && number != 0x0a && number != 0x41)
		command_forget(token);
}

void command_run(struct token *token, const uint8_t *message, size_t len)
{
	static uint8_t out[HID_MESSAGE_MAX];
	cbor_item_t *answer = NULL;
	enum ctap_status status = CTAP_INVALID_LENGTH;
	size_t written = 1;

	if (len > 0) {
		count(token, message[0]);
		forget_others(token, message[0]);
		fault_command_begins(token, message[0]);
		token->person.done = PRESENCE_NONE;
		token_dawdle(token, token->settings.slow_ms);
		while (fault_is(token, FAULT_KEEPALIVE) && token->person.done == PRESENCE_NONE &&
			!token->ended)
			token_dawdle(token, 100);
		status = token->person.done == PRESENCE_GONE ? CTAP_NOBODY_WAITS
							     : run(token, message, len, &answer);
	}
	if (status != CTAP_NOBODY_WAITS && token->plugged) {
		out[0] = (uint8_t)status;
		if (status == CTAP_OK && answer != NULL)
			written += item_write(answer, out + 1, sizeof(out) - 1);
		written = fault_answer(token, out, written, sizeof(out));
		hid_reply(token, HID_CBOR, out, written);
	}
	if (answer != NULL)
		cbor_decref(&answer);
}

enum ctap_status command_touch(struct token *token)
{
	switch (token_wait_for_touch(token)) {
	case PRESENCE_TOUCHED:
		return CTAP_OK;
	case PRESENCE_REFUSED:
		return CTAP_OPERATION_DENIED;
	case PRESENCE_CANCELLED:
		return CTAP_KEEPALIVE_CANCEL;
	case PRESENCE_TIMED_OUT:
		return CTAP_USER_ACTION_TIMEOUT;
	case PRESENCE_NONE:
	case PRESENCE_GONE:
		break;
	}
	return CTAP_NOBODY_WAITS;
}

size_t command_auth_data(struct token *token, const uint8_t rp_hash[KEY_HASH_LEN], uint8_t flags,
	uint8_t out[AUTH_DATA_MAX])
{
	uint32_t counter = token->settings.counting ? ++token->store.counter : 0;

	memcpy(out, rp_hash, KEY_HASH_LEN);
	if (fault_is(token, FAULT_APPLICATION))
		out[0] ^= 1;
	if (fault_is(token, FAULT_NO_TOUCH))
		flags &= (uint8_t)~FLAG_UP;
	if (fault_is(token, FAULT_NO_PIN))
		flags &= (uint8_t)~FLAG_UV;
	out[32] = flags;
	out[33] = (uint8_t)(counter >> 24);
	out[34] = (uint8_t)(counter >> 16);
	out[35] = (uint8_t)(counter >> 8);
	out[36] = (uint8_t)counter;
	return 37;
}
