/*
 * A client's messages: the type and the body, through every parser that reads bytes of
 * clients, and through the recognition of what is to be signed. What is believed of a message must
 * stand in it.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/secret.h>

#include "message.h"
#include "provider.h"
#include "sign_check.h"
#include "subject.h"

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

/* A login that was recognised is written again from what was understood, byte by byte. */
static void check_login(const struct subject *subject, struct bytes data, struct bytes blob)
{
	AUTO(buf) front = {0}, back = {0};

	buf_put_string(&front, subject->session_id);
	buf_put_u8(&front, 50);
	buf_put_string(&front, subject->user);
	buf_put_text(&front, "ssh-connection");
	buf_put_text(
		&front, subject->hostbound ? "publickey-hostbound-v00@openssh.com" : "publickey");
	buf_put_u8(&front, 1);
	buf_put_string(&back, blob);
	if (subject->hostbound)
		buf_put_string(&back, subject->host_key);
	require(buf_status(&front) == KS_OK && buf_status(&back) == KS_OK);
	require(front.len + back.len < data.len && subject->session_id.len > 0);
	require(memcmp(front.data, data.data, front.len) == 0);
	require(memcmp(back.data, data.data + data.len - back.len, back.len) == 0);
}

static void check_subject(const struct message_sign *sign, const struct public_key *key)
{
	struct subject subject;

	subject_parse(sign->data, sign->blob, key, &subject);
	require(within(subject.session_id, sign->data) && within(subject.user, sign->data));
	require(within(subject.host_key, sign->data) && within(subject.sign_namespace, sign->data));
	if (subject.kind == SUBJECT_LOGIN)
		check_login(&subject, sign->data, sign->blob);
	if (subject.kind == SUBJECT_SSHSIG)
		require(memcmp(sign->data.data, "SSHSIG", 6) == 0 &&
			subject.sign_namespace.len > 0);
	if (subject.kind != SUBJECT_LOGIN)
		require(subject.session_id.len == 0 && subject.user.len == 0 && !subject.hostbound);
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
	check_subject(&sign, key);
	public_key_free(&key);
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
	case MESSAGE_REMOVE_TOKEN:
		check_remove_token(body);
		break;
	default:
		check_others(data[0], body);
	}
	return 0;
}
