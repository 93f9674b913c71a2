/*
 * One function for each kind of call. What libfido2 gives back is passed on as it is: the worker
 * looks at it.
 */
#include "perform.h"

#include <string.h>

/* The process has one device, and its name is nobody's business. */
#define NAME "the security key"

static int open_token(fido_dev_t *device, struct buf *body)
{
	int code = fido_dev_open(device, NAME);

	if (code == FIDO_OK)
		token_info_encode(&(struct token_info){.fido2 = fido_dev_is_fido2(device),
					  .pin_set = fido_dev_has_pin(device),
					  .verifies = fido_dev_has_uv(device)},
			body);
	return code;
}

static int set_application(fido_assert_t *assert, struct bytes application)
{
	char text[TOKEN_APPLICATION_MAX + 1];

	if (application.len > TOKEN_APPLICATION_MAX)
		return FIDO_ERR_INVALID_ARGUMENT;
	memcpy(text, application.data, application.len);
	text[application.len] = '\0';
	return fido_assert_set_rp(assert, text);
}

static int fill_in(fido_assert_t *assert, const struct token_call *call)
{
	int code = set_application(assert, call->application);

	if (code == FIDO_OK)
		code = fido_assert_set_clientdata_hash(assert, call->hash.data, call->hash.len);
	if (code == FIDO_OK)
		code = fido_assert_allow_cred(assert, call->handle.data, call->handle.len);
	if (code == FIDO_OK)
		code = fido_assert_set_up(assert, call->present ? FIDO_OPT_TRUE : FIDO_OPT_FALSE);
	if (code == FIDO_OK && call->verified && call->pin.len == 0)
		code = fido_assert_set_uv(assert, FIDO_OPT_TRUE);
	return code;
}

/* libfido2 wants the PIN to end with a NUL: the message has one byte more than it needs. */
static int get_assertion(fido_dev_t *device, fido_assert_t *assert, const struct token_call *call)
{
	const char *pin = call->pin.len > 0 ? (const char *)call->pin.data : NULL;
	int code = fido_dev_get_assert(device, assert, pin);

	/* U2F tells so that it does not hold the key. */
	if (code == FIDO_OK && fido_assert_count(assert) == 0)
		return FIDO_ERR_NO_CREDENTIALS;
	if (code == FIDO_OK && fido_assert_count(assert) != 1)
		return FIDO_ERR_RX_INVALID_CBOR;
	return code;
}

static int make_assertion(fido_dev_t *device, const struct token_call *call, struct buf *body)
{
	fido_assert_t *assert = fido_assert_new();
	int code = assert == NULL ? FIDO_ERR_INTERNAL : fill_in(assert, call);

	if (code == FIDO_OK)
		code = get_assertion(device, assert, call);
	if (code == FIDO_OK)
		token_assertion_encode(
			&(struct token_assertion){.flags = fido_assert_flags(assert, 0),
				.counter = fido_assert_sigcount(assert, 0),
				.signature = BYTES(fido_assert_sig_ptr(assert, 0),
					fido_assert_sig_len(assert, 0))},
			body);
	fido_assert_free(&assert);
	return code;
}

static int count_tries(fido_dev_t *device, struct buf *body)
{
	int tries = 0;
	int code = fido_dev_get_retry_count(device, &tries);

	if (code == FIDO_OK)
		buf_put_u32(body, (uint32_t)tries);
	return code;
}

static int await_choice(fido_dev_t *device, uint32_t timeout_ms)
{
	int touched = 0;
	int code = fido_dev_get_touch_begin(device);

	if (code == FIDO_OK)
		code = fido_dev_get_touch_status(device, &touched, (int)timeout_ms);
	return code == FIDO_OK && touched == 0 ? FIDO_ERR_USER_ACTION_TIMEOUT : code;
}

int perform(fido_dev_t *device, const struct token_call *call, struct buf *body)
{
	switch (call->kind) {
	case TOKEN_OPEN:
		return open_token(device, body);
	case TOKEN_ASSERT:
		return make_assertion(device, call, body);
	case TOKEN_TRIES:
		return count_tries(device, body);
	case TOKEN_SELECT:
		return await_choice(device, call->timeout_ms);
	case TOKEN_RESIDENT:
		return resident_read(device, (const char *)call->pin.data, body);
	case TOKEN_DESCRIBE:
		return describe(device, body);
	case TOKEN_CANCEL:
		break;
	}
	return FIDO_ERR_INVALID_ARGUMENT;
}
