/*
 * From a request to a signature. Presence stands in the signature itself, made by whatever
 * authenticator the library speaks to: flags that lack what was asked for end it here.
 */
#include "sign.h"

#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "apart.h"
#include "response.h"
#include "sk_api.h"

#define PRESENCE_FLAGS (SK_FLAG_USER_PRESENT | SK_FLAG_USER_VERIFIED)

static bool demands_pin_alone(const struct signing *signing)
{
	return signing->request->demand == KS_PRESENCE_PIN;
}

/* A demand is stronger than a key that was made to be used without a touch. */
static uint8_t flags_for(const struct signing *signing)
{
	uint8_t flags = signing->key->key.sk_flags;

	if (signing->request->demand != KS_PRESENCE_NONE)
		flags |= SK_FLAG_USER_PRESENT;
	if (demands_pin_alone(signing))
		flags |= SK_FLAG_USER_VERIFIED;
	return flags;
}

static void put_raw(struct secret *out, const void *data, size_t len)
{
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

/* The secret of a library_call: string key handle, then PIN and NUL where there is one. */
static enum ks_error secret_for(const struct signing *signing, const struct secret *pin, int *out)
{
	struct bytes handle = signing->key->key.key_handle;
	const uint8_t length[4] = {0, 0, (uint8_t)(handle.len >> 8), (uint8_t)handle.len};
	struct secret content;
	enum ks_error error =
		secret_init(&content, sizeof(length) + KEY_HANDLE_MAX + KS_PIN_MAX + 1);

	*out = -1;
	if (error != KS_OK)
		return error;
	put_raw(&content, length, sizeof(length));
	put_raw(&content, handle.data, handle.len);
	if (pin->len > 0) {
		put_raw(&content, pin->data, pin->len);
		put_raw(&content, "", 1);
	}
	error = secret_to_pipe(content.data, content.len, out);
	secret_deinit(&content);
	return error;
}

static enum ks_error call_library(
	const struct signing *signing, const struct secret *pin, struct buf *answer)
{
	const struct library_call call = {
		.kind = LIBRARY_SIGN,
		.path = signing->path,
		.algorithm = signing->key->key.kind == KEY_SK_ED25519 ? SK_ED25519 : SK_ECDSA,
		.application = signing->key->application,
		.flags = signing->flags,
		.with_pin = pin->len > 0,
		.data = signing->request->data,
	};
	AUTO(fd) hidden = -1;
	enum ks_error error = secret_for(signing, pin, &hidden);

	if (error != KS_OK)
		return error;
	return apart_call(signing->operation, &call, hidden, answer);
}

/*
 * The notice stands while the library is at it: it does not say when it waits for the touch.
 * Before, as long as the agent wants it to.
 */
static enum ks_error sign_once(const struct signing *signing, const struct secret *pin,
	struct buf *answer, struct response *response)
{
	bool touch = (signing->flags & SK_FLAG_USER_PRESENT) != 0;
	enum ks_error error = KS_OK;

	if (touch)
		error = ks_touch_awaited(signing->operation, signing->token);
	if (error == KS_OK)
		error = call_library(signing, pin, answer);
	if (touch)
		ks_touch_over(signing->operation);
	if (error != KS_OK)
		return error;
	return response_read_sign(signing->operation, buf_bytes(answer), response);
}

/*
 * How many tries are left is nothing a library says, so a PIN is sent once: what the library still
 * calls "PIN required" after it was a wrong one.
 */
static enum ks_error sign_with_pin(const struct signing *signing, struct secret *pin,
	struct buf *answer, struct response *response)
{
	enum ks_error error = ks_ask_pin(signing->operation, signing->token, false, pin);

	if (error != KS_OK)
		return error;
	buf_clear(answer);
	error = sign_once(signing, pin, answer, response);
	if (error != KS_PIN_NEEDED)
		return error;
	ks_explain(signing->operation, "the security key did not take the PIN");
	return KS_PIN_WRONG;
}

/*
 * An authenticator may know its person by a fingerprint: it is asked without a PIN first, unless
 * only a PIN will do.
 */
static enum ks_error obtain(const struct signing *signing, struct secret *pin, struct buf *answer,
	struct response *response)
{
	enum ks_error error;

	if (demands_pin_alone(signing))
		return sign_with_pin(signing, pin, answer, response);
	error = sign_once(signing, pin, answer, response);
	if (error != KS_PIN_NEEDED)
		return error;
	return sign_with_pin(signing, pin, answer, response);
}

static enum ks_error check_presence(const struct signing *signing, uint8_t flags, bool pin_given)
{
	uint8_t wanted = signing->flags & PRESENCE_FLAGS;

	if ((flags & wanted) != wanted) {
		log_error("the library signed without the touch or PIN that it was asked for");
		ks_explain(signing->operation,
			"the library signed without the touch or PIN that it was asked for");
		return KS_DEVICE_FAILED;
	}
	if ((flags & SK_FLAG_USER_PRESENT) != 0)
		ks_presence_given(signing->operation, KS_PRESENCE_TOUCH);
	if ((flags & SK_FLAG_USER_VERIFIED) != 0 && pin_given)
		ks_presence_given(signing->operation, KS_PRESENCE_PIN);
	return KS_OK;
}

enum ks_error sign_with_library(struct signing *signing, struct buf *signature)
{
	struct response response;
	struct secret pin = {0};
	AUTO(buf) answer = {0};
	enum ks_error error;

	signing->flags = flags_for(signing);
	error = obtain(signing, &pin, &answer, &response);
	bool pin_given = pin.len > 0;
	secret_deinit(&pin);
	if (error == KS_OK)
		error = check_presence(signing, response.flags, pin_given);
	if (error != KS_OK)
		return error;
	return response_put(signing->operation, &response, signing->request->algorithm, signature);
}
