/*
 * A client's messages: the type and the body, through every parser that reads bytes of clients.
 * What is believed of a message must stand in it. What constraints and data to be signed say has
 * fuzz targets of its own.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/secret.h>

#include "message.h"
#include "provider.h"
#include "sign_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool within(struct bytes part, struct bytes whole)
{
	return part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
					part.data + part.len <= whole.data + whole.len);
}

static void check_sign(struct bytes body)
{
	struct message_sign sign;
	struct public_key *key;

	if (message_parse_sign(body, &sign) != KS_OK)
		return;
	require(within(sign.blob, body) && within(sign.data, body));
	if (public_key_parse(sign.blob, &key) != KS_OK)
		return;
	require((unsigned)sign_algorithm(key->kind, sign.flags) < KS_ALGORITHM_COUNT);
	public_key_free(&key);
}

static void check_key(const struct message_add_key *message, struct bytes body)
{
	const struct private_key *key = &message->key;
	struct public_key *listed;

	require(within(key->whole, body) && key->whole.data == body.data && key->whole.len > 0);
	require(within(key->scalar, key->whole) && within(key->key_handle, key->whole));
	require(strlen(message->comment) <= MESSAGE_COMMENT_MAX);
	require(message->constraints->references == 1);
	require(public_key_parse(buf_bytes(&message->blob), &listed) == KS_OK);
	require(listed->kind == key->kind && listed->certificate == (key->certificate.len > 0));
	public_key_free(&listed);
}

static void check_add_key(struct bytes body)
{
	struct message_add_key message;

	if (message_parse_add_key(body, false, &message) == KS_OK)
		check_key(&message, body);
	else
		require(message.constraints == NULL);
	message_add_key_deinit(&message);
}

static void check_password(struct bytes body)
{
	struct bytes password;
	const uint8_t *nul;

	if (message_parse_password(body, &password) != KS_OK)
		return;
	require(within(password, body));
	/* As ssh-agent has it: one at the end belongs to the password. */
	nul = password.len == 0 ? NULL : memchr(password.data, '\0', password.len);
	require(nul == NULL || nul + 1 == password.data + password.len);
}

static void check_add_token(struct bytes body)
{
	struct message_add_token message;

	if (message_parse_add_token(body, &message) == KS_OK) {
		require(message.provider[0] != '\0' &&
			strlen(message.provider) <= PROVIDER_NAME_MAX);
		require(within(message.pin, body) && message.pin.len <= KS_PIN_MAX);
		require(message.pin.len == 0 ||
			memchr(message.pin.data, '\0', message.pin.len) == NULL);
		require(message.constraints->sk_provider == NULL);
	}
	message_add_token_deinit(&message);
}

static void check_remove_token(struct bytes body)
{
	AUTO(text) provider = NULL;

	if (message_parse_remove_token(body, &provider) == KS_OK)
		require(provider != NULL && strlen(provider) <= PROVIDER_NAME_MAX);
}

static void check_others(uint8_t type, struct bytes body)
{
	struct message_extension extension;
	struct bytes blob;

	if (type == MESSAGE_REMOVE && message_parse_remove(body, &blob) == KS_OK)
		require(within(blob, body));
	if (type == MESSAGE_EXTENSION && message_parse_extension(body, &extension) == KS_OK)
		require(within(extension.name, body) && within(extension.content, body) &&
			extension.content.data + extension.content.len == body.data + body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes body;

	if (len == 0)
		return 0;
	log_start("fuzz", LOG_LEVEL_ERROR); /* refused constraints are named in warnings */
	body = BYTES(data + 1, len - 1);
	switch (data[0]) {
	case MESSAGE_SIGN:
		check_sign(body);
		break;
	case MESSAGE_ADD_TOKEN:
	case MESSAGE_ADD_TOKEN_CONSTRAINED:
		require(message_is_secret(data[0]));
		check_add_token(body);
		break;
	case MESSAGE_ADD:
	case MESSAGE_ADD_CONSTRAINED:
		require(message_is_secret(data[0]));
		check_add_key(body);
		break;
	case MESSAGE_LOCK:
	case MESSAGE_UNLOCK:
		require(message_is_secret(data[0]));
		check_password(body);
		break;
	case MESSAGE_REMOVE_TOKEN:
		check_remove_token(body);
		break;
	default:
		check_others(data[0], body);
	}
	return 0;
}
