/*
 * Parsing of client messages, with ssh-agent's leniency where clients rely on it and none
 * elsewhere: bytes after the last field are ignored, but of 17, 20, 25 and 26, where they are
 * constraints.
 */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>
#include <keystile/secret.h>

#include "provider.h"

bool message_is_secret(uint8_t type)
{
	switch (type) {
	case MESSAGE_ADD:
	case MESSAGE_ADD_TOKEN:
	case MESSAGE_LOCK:
	case MESSAGE_UNLOCK:
	case MESSAGE_ADD_CONSTRAINED:
	case MESSAGE_ADD_TOKEN_CONSTRAINED:
		return true;
	default:
		return false;
	}
}

enum ks_error message_parse_sign(struct bytes body, struct message_sign *out)
{
	struct reader reader = reader_of(body);

	out->blob = reader_string(&reader);
	out->data = reader_string(&reader);
	out->flags = reader_u32(&reader);
	return reader_status(&reader);
}

static enum ks_error parse_private_key(struct reader *reader, struct message_add_key *out)
{
	enum ks_error error = private_key_read(reader, &out->key);

	if (error == KS_OK)
		error = private_key_put_public(&out->key, &out->blob);
	if (error != KS_OK)
		log_warning("refused: a key that is added: %s", ks_error_text(error));
	return error;
}

static enum constraints_for constraints_for(enum key_kind kind, bool from_afar)
{
	if (key_kind_is_security_key(kind))
		return from_afar ? CONSTRAINTS_FOR_SECURITY_KEY_FROM_AFAR
				 : CONSTRAINTS_FOR_SECURITY_KEY;
	return from_afar ? CONSTRAINTS_FOR_KEY_FROM_AFAR : CONSTRAINTS_FOR_KEY;
}

enum ks_error message_parse_add_key(struct bytes body, bool from_afar, struct message_add_key *out)
{
	struct reader reader = reader_of(body);
	enum ks_error error;

	*out = (struct message_add_key){0};
	error = parse_private_key(&reader, out);
	if (error != KS_OK)
		return error;
	out->comment = reader_text(&reader, MESSAGE_COMMENT_MAX);
	if (out->comment == NULL)
		return KS_BAD_INPUT;
	return constraints_parse(
		&reader, constraints_for(out->key.kind, from_afar), &out->constraints);
}

void message_add_key_deinit(struct message_add_key *message)
{
	buf_deinit(&message->blob);
	free(message->comment);
	constraints_release(&message->constraints);
	*message = (struct message_add_key){0};
}

enum ks_error message_parse_add_token(struct bytes body, struct message_add_token *out)
{
	struct reader reader = reader_of(body);

	*out = (struct message_add_token){0};
	out->provider = reader_text(&reader, PROVIDER_NAME_MAX);
	out->pin = reader_text_bytes(&reader);
	if (reader_status(&reader) != KS_OK || out->provider[0] == '\0' ||
		out->pin.len > KS_PIN_MAX)
		return KS_BAD_INPUT;
	return constraints_parse(&reader, CONSTRAINTS_FOR_TOKEN, &out->constraints);
}

void message_add_token_deinit(struct message_add_token *message)
{
	free(message->provider);
	constraints_release(&message->constraints);
	*message = (struct message_add_token){0};
}

enum ks_error message_parse_remove_token(struct bytes body, char **provider)
{
	struct reader reader = reader_of(body);

	*provider = reader_text(&reader, PROVIDER_NAME_MAX);
	return reader_status(&reader);
}

enum ks_error message_parse_remove(struct bytes body, struct bytes *blob)
{
	struct reader reader = reader_of(body);

	*blob = reader_string(&reader);
	return reader_status(&reader);
}

enum ks_error message_parse_password(struct bytes body, struct bytes *password)
{
	struct reader reader = reader_of(body);

	const uint8_t *nul;

	*password = reader_string(&reader);
	nul = password->len == 0 ? NULL : memchr(password->data, '\0', password->len);
	if (nul != NULL && nul + 1 != password->data + password->len)
		return KS_BAD_INPUT;
	return reader_status(&reader);
}

enum ks_error message_parse_extension(struct bytes body, struct message_extension *out)
{
	struct reader reader = reader_of(body);

	out->name = reader_text_bytes(&reader);
	out->content = BYTES(reader.data, reader.left);
	return reader_status(&reader);
}
