/*
 * Requests to a security key's program and its answers, field by field; leftovers are refused.
 */
#include "token_call.h"

#include <string.h>

#define ED25519_POINT_BYTES 32
#define P256_POINT_BYTES 65
#define POINT_UNCOMPRESSED 4
#define SSH_PREFIX "ssh:"

void token_call_encode(const struct token_call *call, struct buf *out)
{
	buf_put_u8(out, (uint8_t)call->kind);
	buf_put_u32(out, call->timeout_ms);
	buf_put_u32(out, call->busy_ms);
	buf_put_bool(out, call->ed25519);
	buf_put_bool(out, call->present);
	buf_put_bool(out, call->verified);
	buf_put_string(out, call->application);
	buf_put_string(out, call->handle);
	buf_put_string(out, call->hash);
	buf_put_u32(out, (uint32_t)call->pin.len);
}

enum ks_error token_call_decode(struct bytes bytes, struct token_call *out)
{
	struct reader in = reader_of(bytes);
	uint8_t kind = reader_u8(&in);

	*out = (struct token_call){.kind = (enum token_call_kind)kind};
	out->timeout_ms = reader_u32(&in);
	out->busy_ms = reader_u32(&in);
	out->ed25519 = reader_bool(&in);
	out->present = reader_bool(&in);
	out->verified = reader_bool(&in);
	out->application = reader_string(&in);
	out->handle = reader_string(&in);
	out->hash = reader_string(&in);
	out->pin = reader_string(&in);
	if (reader_end(&in) != KS_OK || kind < TOKEN_OPEN || kind > TOKEN_DESCRIBE)
		return KS_BAD_INPUT;
	if (kind == TOKEN_ASSERT && out->hash.len != TOKEN_HASH_BYTES)
		return KS_BAD_INPUT;
	return out->pin.len <= KS_PIN_MAX ? KS_OK : KS_BAD_INPUT;
}

void token_answer_encode(const struct token_answer *answer, struct buf *out)
{
	buf_put_u8(out, (uint8_t)answer->kind);
	buf_put_u32(out, (uint32_t)answer->code);
	buf_put_string(out, answer->body);
}

enum ks_error token_answer_decode(struct bytes bytes, struct token_answer *out)
{
	struct reader in = reader_of(bytes);
	uint8_t kind = reader_u8(&in);

	*out = (struct token_answer){.kind = (enum token_answer_kind)kind};
	out->code = (int32_t)reader_u32(&in);
	out->body = reader_string(&in);
	if (reader_end(&in) != KS_OK || kind < TOKEN_DONE || kind > TOKEN_WORKS)
		return KS_BAD_INPUT;
	return KS_OK;
}

void token_info_encode(const struct token_info *info, struct buf *out)
{
	buf_put_bool(out, info->fido2);
	buf_put_bool(out, info->pin_set);
	buf_put_bool(out, info->verifies);
}

enum ks_error token_info_decode(struct bytes bytes, struct token_info *out)
{
	struct reader in = reader_of(bytes);

	out->fido2 = reader_bool(&in);
	out->pin_set = reader_bool(&in);
	out->verifies = reader_bool(&in);
	return reader_end(&in);
}

void token_assertion_encode(const struct token_assertion *assertion, struct buf *out)
{
	buf_put_u8(out, assertion->flags);
	buf_put_u32(out, assertion->counter);
	buf_put_string(out, assertion->signature);
}

enum ks_error token_assertion_decode(struct bytes bytes, struct token_assertion *out)
{
	struct reader in = reader_of(bytes);

	out->flags = reader_u8(&in);
	out->counter = reader_u32(&in);
	out->signature = reader_string(&in);
	return reader_end(&in);
}

void token_credential_encode(const struct token_credential *credential, struct buf *out)
{
	buf_put_bool(out, credential->ed25519);
	buf_put_bool(out, credential->hidden);
	buf_put_string(out, credential->application);
	buf_put_string(out, credential->handle);
	buf_put_string(out, credential->point);
	buf_put_string(out, credential->user);
}

/* It becomes part of a key, and of what a person reads. */
static bool is_application(struct bytes text)
{
	if (text.len < strlen(SSH_PREFIX) || text.len > TOKEN_APPLICATION_MAX ||
		memcmp(text.data, SSH_PREFIX, strlen(SSH_PREFIX)) != 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

static bool is_point(const struct token_credential *credential)
{
	struct bytes point = credential->point;

	if (credential->ed25519)
		return point.len == ED25519_POINT_BYTES;
	return point.len == P256_POINT_BYTES && point.data[0] == POINT_UNCOMPRESSED;
}

enum ks_error token_credential_decode(struct reader *in, struct token_credential *out)
{
	out->ed25519 = reader_bool(in);
	out->hidden = reader_bool(in);
	out->application = reader_string(in);
	out->handle = reader_string(in);
	out->point = reader_string(in);
	out->user = reader_string(in);
	if (reader_status(in) != KS_OK || !is_application(out->application) || !is_point(out) ||
		out->handle.len == 0 || out->handle.len > KEY_HANDLE_MAX)
		return KS_BAD_INPUT;
	return KS_OK;
}

void token_description_encode(const struct token_description *description, struct buf *out)
{
	buf_put_string(out, description->aaguid);
	buf_put_u64(out, description->firmware);
	buf_put_u32(out, description->pin_tries);
	buf_put_u32(out, description->finger_tries);
	buf_put_u32(out, description->rooms_left);
	buf_put_u32(out, description->pin_min);
	buf_put_bool(out, description->pin_change);
	buf_put_bool(out, description->credentials);
	buf_put_string(out, description->versions);
	buf_put_string(out, description->algorithms);
	buf_put_string(out, description->options);
}

enum ks_error token_description_decode(struct bytes bytes, struct token_description *out)
{
	struct reader in = reader_of(bytes);

	out->aaguid = reader_string(&in);
	out->firmware = reader_u64(&in);
	out->pin_tries = reader_u32(&in);
	out->finger_tries = reader_u32(&in);
	out->rooms_left = reader_u32(&in);
	out->pin_min = reader_u32(&in);
	out->pin_change = reader_bool(&in);
	out->credentials = reader_bool(&in);
	out->versions = reader_string(&in);
	out->algorithms = reader_string(&in);
	out->options = reader_string(&in);
	if (out->aaguid.len != 0 && out->aaguid.len != TOKEN_AAGUID_BYTES)
		return KS_BAD_INPUT;
	return reader_end(&in);
}
