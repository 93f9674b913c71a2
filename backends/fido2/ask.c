/*
 * What a token is asked for, one request each, and the person who is told of its touch meanwhile.
 */
#include <fido/err.h>
#include <openssl/rand.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "assertion.h"
#include "code.h"
#include "signing.h"

/* What a token needs no person for. */
#define ANSWER_MS 5000
/* A hundred credentials, two or three commands each. */
#define MANY_ANSWERS_MS 20000

static struct token_call call_for(const struct signing *signing, enum token_call_kind kind)
{
	struct token_call call = {
		.kind = kind, .timeout_ms = ANSWER_MS, .busy_ms = device_patience_ms(signing)};

	if (signing->key != NULL) {
		call.ed25519 = signing->key->key.kind == KEY_SK_ED25519;
		call.application = bytes_of(signing->key->application);
		call.handle = signing->key->key.key_handle;
	}
	return call;
}

/* ---- The touch ---- */

static void touch_over(struct signing *signing)
{
	if (signing->touch_told)
		ks_touch_over(signing->operation);
	signing->touch_told = false;
}

static enum ks_error tell_touch(struct signing *signing, const struct ks_token *token)
{
	if (signing->touch_told)
		return KS_OK;
	if (++signing->touches_told > TOUCHES_TOLD_MAX)
		return KS_DEVICE_FAILED;
	signing->touch_told = true;
	return ks_touch_awaited(signing->operation, token);
}

/* Where presence is demanded the notice came before the request and stays until its end. */
static enum ks_error on_waits(void *owner, const struct exchange *exchange, bool touch)
{
	struct signing *signing = owner;
	struct ks_token view = token_view(signing->token);

	(void)exchange;
	if (touch)
		return tell_touch(signing, &view);
	if (signing->request->demand == KS_PRESENCE_NONE && signing->token->session.info.fido2)
		touch_over(signing);
	return KS_OK;
}

/* ---- Requests ---- */

/* One that nobody has to touch for. */
static enum ks_error run_silently(
	struct signing *signing, struct exchange *exchange, const struct exchange_watch *more)
{
	struct exchange_watch watch = more != NULL ? *more : (struct exchange_watch){0};

	watch.operation = signing->operation;
	return exchange_run(exchange, 1, &watch);
}

enum ks_error ask_open(struct signing *signing, struct fido_token *token)
{
	struct exchange exchange = {
		.session = &token->session, .call = call_for(signing, TOKEN_OPEN)};
	enum ks_error error;

	if (token->session.pid != 0 && !session_has_ended(&token->session))
		return KS_OK;
	session_end(&token->session);
	error = device_open(signing, token);
	if (error == KS_OK)
		error = run_silently(signing, &exchange, NULL);
	if (error == KS_OK)
		error = code_error(signing->operation, exchange.code);
	if (error == KS_OK)
		error = token_info_decode(buf_bytes(&exchange.body), &token->session.info);
	buf_deinit(&exchange.body);
	if (error != KS_OK)
		session_end(&token->session);
	return error;
}

enum ks_error ask_tries(struct signing *signing, uint32_t *tries)
{
	struct exchange exchange = {
		.session = &signing->token->session, .call = call_for(signing, TOKEN_TRIES)};
	enum ks_error error = run_silently(signing, &exchange, NULL);
	struct reader in;

	*tries = 0;
	if (error == KS_OK)
		error = code_error(signing->operation, exchange.code);
	if (error == KS_OK) {
		in = reader_of(buf_bytes(&exchange.body));
		*tries = reader_u32(&in);
		error = reader_end(&in);
	}
	buf_deinit(&exchange.body);
	return error;
}

enum ks_error ask_plainly(
	struct signing *signing, enum token_call_kind kind, int32_t *code, struct buf *out)
{
	struct exchange exchange = {
		.session = &signing->token->session, .call = call_for(signing, kind)};
	enum ks_error error;

	exchange.call.timeout_ms = MANY_ANSWERS_MS;
	exchange.call.pin = BYTES(signing->pin.data, signing->pin.len);
	error = run_silently(signing, &exchange, NULL);
	*code = exchange.code;
	buf_put(out, buf_bytes(&exchange.body));
	buf_deinit(&exchange.body);
	return error == KS_OK ? buf_status(out) : error;
}

/* ---- Without a person ---- */

/* A token that wants a touch for this is not one that can be asked silently. */
static enum ks_error on_silence_broken(void *owner, const struct exchange *exchange, bool touch)
{
	(void)owner;
	(void)exchange;
	return touch ? KS_UNSUPPORTED : KS_OK;
}

/* What was asked for is signed, so that no other token can say it for this one. */
static int32_t check_silent(
	const struct signing *signing, const struct exchange *exchange, struct bytes challenge)
{
	struct token_assertion assertion;
	AUTO(buf) signature = {0};

	if (token_assertion_decode(buf_bytes(&exchange->body), &assertion) == KS_OK &&
		assertion_put(&assertion, buf_bytes(&signing->key->blob), challenge, &signature) ==
			KS_OK)
		return TOKEN_CODE_OK;
	log_error("a security key says that it holds a key, and can't show it");
	return FIDO_ERR_NO_CREDENTIALS;
}

enum ks_error ask_silently(struct signing *signing, struct fido_token *token, int32_t *code)
{
	uint8_t challenge[TOKEN_HASH_BYTES];
	uint8_t hash[TOKEN_HASH_BYTES];
	const struct exchange_watch watch = {.waits = on_silence_broken};
	struct exchange exchange = {
		.session = &token->session, .call = call_for(signing, TOKEN_ASSERT)};
	enum ks_error error;

	if (RAND_bytes(challenge, sizeof(challenge)) != 1)
		return KS_NO_MEMORY;
	error = assertion_hash(BYTES(challenge, sizeof(challenge)), hash);
	exchange.call.hash = BYTES(hash, sizeof(hash));
	exchange.call.verified = signing->pin.len > 0;
	exchange.call.pin = BYTES(signing->pin.data, signing->pin.len);
	if (error == KS_OK)
		error = run_silently(signing, &exchange, &watch);
	*code = exchange.code;
	if (error == KS_OK && exchange.code == TOKEN_CODE_OK)
		*code = check_silent(signing, &exchange, BYTES(challenge, sizeof(challenge)));
	buf_deinit(&exchange.body);
	return error;
}

/* ---- With one ---- */

/* U2F has no keep-alives: its light tells, and the notice stands from the start. */
static enum ks_error tell_ahead(struct signing *signing)
{
	struct ks_token view = token_view(signing->token);

	if (!signing->present || (signing->request->demand == KS_PRESENCE_NONE &&
					 signing->token->session.info.fido2))
		return KS_OK;
	return tell_touch(signing, &view);
}

static enum ks_error note_presence(const struct signing *signing, uint8_t flags, bool verified)
{
	uint8_t wanted = (uint8_t)((signing->present ? SK_FLAG_USER_PRESENT : 0) |
				   (verified ? SK_FLAG_USER_VERIFIED : 0));

	if ((flags & wanted) != wanted) {
		log_error("a security key signed without the touch or PIN that it was asked for");
		ks_explain(signing->operation,
			"the security key signed without the touch or PIN that it was asked for");
		return KS_DEVICE_FAILED;
	}
	if ((flags & SK_FLAG_USER_PRESENT) != 0)
		ks_presence_given(signing->operation, KS_PRESENCE_TOUCH);
	if ((flags & SK_FLAG_USER_VERIFIED) != 0 && signing->pin_given)
		ks_presence_given(signing->operation, KS_PRESENCE_PIN);
	return KS_OK;
}

static enum ks_error take_assertion(
	struct signing *signing, struct bytes body, bool verified, struct buf *signature)
{
	struct token_assertion assertion;
	enum ks_error error = token_assertion_decode(body, &assertion);

	if (error == KS_OK)
		error = assertion_put(&assertion, buf_bytes(&signing->key->blob),
			signing->request->data, signature);
	if (error == KS_DEVICE_FAILED) {
		/* It may have been chosen by touch, and be the wrong one. */
		token_forget(signing->tokens, signing->token, buf_bytes(&signing->key->blob));
		log_error("a security key's signature does not verify");
		ks_explain(signing->operation, "the security key's signature does not verify");
	}
	if (error == KS_OK)
		error = note_presence(signing, assertion.flags, verified);
	return error;
}

enum ks_error ask_assertion(
	struct signing *signing, bool verified, int32_t *code, struct buf *signature)
{
	struct exchange exchange = {
		.session = &signing->token->session, .call = call_for(signing, TOKEN_ASSERT)};
	const struct exchange_watch watch = {
		.operation = signing->operation, .waits = on_waits, .owner = signing};
	enum ks_error error = tell_ahead(signing);

	*code = TOKEN_CODE_CANCELLED;
	exchange.call.timeout_ms = (uint32_t)ks_time_left_ms(signing->operation);
	exchange.call.present = signing->present;
	exchange.call.verified = verified;
	exchange.call.hash = BYTES(signing->hash, sizeof(signing->hash));
	exchange.call.pin = BYTES(signing->pin.data, signing->pin.len);
	if (error == KS_OK)
		error = exchange_run(&exchange, 1, &watch);
	touch_over(signing);
	if (error == KS_OK) {
		*code = exchange.code;
		if (*code == TOKEN_CODE_OK)
			error = take_assertion(
				signing, buf_bytes(&exchange.body), verified, signature);
	}
	buf_deinit(&exchange.body);
	return error;
}

/* ---- Which one ---- */

static enum ks_error tell_choice(struct signing *signing, const struct fido_token *only)
{
	const struct ks_token all = {.id = TOKEN_FIRST_ID - 1, .tries_left = KS_TRIES_UNKNOWN};
	struct ks_token one;

	if (only == NULL)
		return tell_touch(signing, &all);
	one = token_view(only);
	return tell_touch(signing, &one);
}

enum ks_error ask_choice(struct signing *signing, struct fido_token *const *candidates,
	size_t count, struct fido_token **out)
{
	struct exchange exchanges[TOKENS_MAX] = {0};
	const struct exchange_watch watch = {.operation = signing->operation};
	enum ks_error error = tell_choice(signing, count == 1 ? candidates[0] : NULL);
	int32_t code = TOKEN_CODE_LATE;

	*out = NULL;
	for (size_t i = 0; i < count; i++) {
		exchanges[i].session = &candidates[i]->session;
		exchanges[i].call = call_for(signing, TOKEN_SELECT);
		exchanges[i].call.timeout_ms = (uint32_t)ks_time_left_ms(signing->operation);
	}
	if (error == KS_OK)
		error = exchange_run(exchanges, count, &watch);
	touch_over(signing);
	for (size_t i = 0; i < count; i++) {
		if (*out == NULL && exchanges[i].code == TOKEN_CODE_OK)
			*out = candidates[i];
		code = exchanges[i].code;
		buf_deinit(&exchanges[i].body);
	}
	if (error == KS_OK && *out == NULL)
		return code_error(signing->operation, code);
	return error;
}
