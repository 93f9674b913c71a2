/*
 * Parsing of client messages, with ssh-agent's leniency where clients rely on it
 * (CONFORMANCE: bytes after the last field of 13, 18 and 21 are ignored) and none elsewhere.
 */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>
#include <keystile/secret.h>
#include <keystile/text.h>

#include "provider.h"

#define CONSTRAINT_LIFETIME 1
#define CONSTRAINT_CONFIRM 2
#define CONSTRAINT_EXTENSION 255

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

/* Invariant 10: what can't be enforced is refused by its name. */
static enum ks_error refuse_extension(struct reader *reader)
{
	char quoted[TEXT_QUOTED_MAX];
	struct bytes name = reader_string(reader);

	if (reader_status(reader) != KS_OK)
		return KS_BAD_INPUT;
	log_warning("refused: the constraint %s can't be enforced for token keys yet",
		text_quote(name, quoted));
	return KS_UNSUPPORTED;
}

static enum ks_error parse_constraint(struct reader *reader, struct message_constraints *out)
{
	uint8_t type = reader_u8(reader);

	switch (type) {
	case CONSTRAINT_LIFETIME:
		if (out->has_lifetime)
			return KS_BAD_INPUT;
		out->has_lifetime = true;
		out->lifetime_s = reader_u32(reader);
		return reader_status(reader);
	case CONSTRAINT_CONFIRM:
		if (out->confirm)
			return KS_BAD_INPUT;
		out->confirm = true;
		return reader_status(reader);
	case CONSTRAINT_EXTENSION:
		return refuse_extension(reader);
	default:
		log_warning("refused: unknown constraint %u", type);
		return KS_UNSUPPORTED;
	}
}

/* As text is read elsewhere: one NUL at the end is tolerated, none inside. */
static enum ks_error parse_text(struct reader *reader, struct bytes *text)
{
	*text = reader_string(reader);
	if (text->len > 0 && text->data[text->len - 1] == '\0')
		text->len--;
	if (reader_status(reader) != KS_OK ||
		(text->len > 0 && memchr(text->data, '\0', text->len) != NULL))
		return KS_BAD_INPUT;
	return KS_OK;
}

static enum ks_error parse_pin(struct reader *reader, struct bytes *pin)
{
	enum ks_error error = parse_text(reader, pin);

	return error == KS_OK && pin->len > KS_PIN_MAX ? KS_BAD_INPUT : error;
}

enum ks_error message_parse_add_token(struct bytes body, struct message_add_token *out)
{
	struct reader reader = reader_of(body);
	enum ks_error error;

	*out = (struct message_add_token){0};
	out->provider = reader_text(&reader, PROVIDER_NAME_MAX);
	error = parse_pin(&reader, &out->pin);
	if (error == KS_OK && out->provider[0] == '\0')
		error = KS_BAD_INPUT;
	while (error == KS_OK && reader.left > 0)
		error = parse_constraint(&reader, &out->constraints);
	return error;
}

void message_add_token_deinit(struct message_add_token *message)
{
	free(message->provider);
	*message = (struct message_add_token){0};
}

enum ks_error message_parse_remove_token(struct bytes body, char **provider)
{
	struct reader reader = reader_of(body);

	*provider = reader_text(&reader, PROVIDER_NAME_MAX);
	return reader_status(&reader);
}

enum ks_error message_parse_password(struct bytes body, struct bytes *password)
{
	struct reader reader = reader_of(body);

	return parse_text(&reader, password);
}

enum ks_error message_parse_remove(struct bytes body, struct bytes *blob)
{
	struct reader reader = reader_of(body);

	*blob = reader_string(&reader);
	return reader_status(&reader);
}

enum ks_error message_parse_extension(struct bytes body, struct message_extension *out)
{
	struct reader reader = reader_of(body);
	enum ks_error error = parse_text(&reader, &out->name);

	out->content = BYTES(reader.data, reader.left);
	return error;
}
