/*
 * The PIN: for the token that is open and has shown that it holds the key, never its last try,
 * never the same wrong one twice.
 */
#include <string.h>

#include <fido/err.h>

#include <keystile/log.h>

#include "code.h"
#include "kept_pin.h"
#include "signing.h"

#define ASKED_MAX 3	 /* a token wants to be pulled after three wrong ones in a row */
#define KEPT_TRIES_MIN 3 /* with fewer left a PIN that is kept is not sent */
/* CTAP 2.1 section 6.5.1: code points, then bytes. */
#define PIN_BYTES_MIN 4
#define PIN_BYTES_MAX 63

/* Those that were sent, or could not be. */
struct attempts {
	struct secret wrong[ASKED_MAX + 1];
	unsigned count;
};

/* Before a PIN is asked for. */
static enum ks_error guard(struct signing *signing, uint32_t *tries)
{
	struct fido_token *token = signing->token;
	enum ks_error error;

	if (!token->session.info.pin_set)
		return code_error(signing->operation, FIDO_ERR_PIN_NOT_SET);
	/* Also shows that it is still there: one that was put back is not locked any more. */
	error = ask_tries(signing, tries);
	if (error != KS_OK)
		return error;
	if (token->pin_locked)
		return code_error(signing->operation, FIDO_ERR_PIN_AUTH_BLOCKED);
	if (*tries == 0)
		return code_error(signing->operation, FIDO_ERR_PIN_BLOCKED);
	if (*tries > 1)
		return choose_surely(signing);
	ks_explain(signing->operation, "one PIN try is left, and it is not spent here; give the "
				       "right PIN once with `fido2-token -L -r`");
	return KS_PIN_LAST_TRY;
}

static bool same(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static enum ks_error check(struct signing *signing, const struct attempts *attempts)
{
	const struct secret *pin = &signing->pin;

	if (pin->len < PIN_BYTES_MIN || pin->len > PIN_BYTES_MAX) {
		ks_explain(signing->operation,
			"a PIN of a security key has %d to %d characters; nothing was sent to it",
			PIN_BYTES_MIN, PIN_BYTES_MAX);
		return KS_PIN_WRONG;
	}
	for (unsigned i = 0; i < attempts->count; i++) {
		if (attempts->wrong[i].len == 0 || !same(&attempts->wrong[i], pin))
			continue;
		ks_explain(
			signing->operation, "it was the same wrong PIN again; that was not sent");
		return KS_PIN_WRONG;
	}
	return KS_OK;
}

static enum ks_error ask(struct signing *signing, bool retry, uint32_t tries)
{
	struct ks_token view = token_view(signing->token);

	signing->pins_asked++;
	view.flags = KS_TOKEN_NEEDS_LOGIN;
	view.tries_left = (int32_t)tries;
	return ks_ask_pin(signing->operation, &view, retry, &signing->pin);
}

/* How many are left is said by the error, as nobody may ask again. */
static enum ks_error tell_wrong(struct signing *signing)
{
	uint32_t tries;
	enum ks_error error = ask_tries(signing, &tries);

	if (error != KS_OK)
		return error;
	ks_explain(signing->operation, "the security key did not take the PIN; %u %s left",
		(unsigned)tries, tries == 1 ? "try is" : "tries are");
	return KS_PIN_WRONG;
}

static enum ks_error send_once(struct signing *signing, int32_t *code, struct buf *signature)
{
	return signing->spend != NULL ? signing->spend(signing, code)
				      : ask_assertion(signing, true, code, signature);
}

/*
 * A token that is busy is asked again below (hidraw.c), but for the one command that has the PIN in
 * it: that is sent again only where no try is missing, so that it was right or not looked at.
 */
static enum ks_error send_to_busy(
	struct signing *signing, uint32_t tries, int32_t *code, struct buf *signature)
{
	uint32_t patience_ms = device_patience_ms(signing);
	uint32_t left = tries;
	enum ks_error error = send_once(signing, code, signature);

	while (error == KS_OK && *code == FIDO_ERR_CHANNEL_BUSY && left >= tries) {
		error = device_rest(signing, &patience_ms);
		if (error == KS_OK)
			error = ask_tries(signing, &left);
		if (error == KS_OK && left >= tries)
			error = send_once(signing, code, signature);
	}
	return error;
}

static enum ks_error send(
	struct signing *signing, bool typed, uint32_t tries, struct buf *signature)
{
	int32_t code;
	enum ks_error error;

	signing->pin_given = typed;
	error = send_to_busy(signing, tries, &code, signature);
	if (error != KS_OK)
		return error;
	if (code == FIDO_ERR_PIN_AUTH_BLOCKED)
		signing->token->pin_locked = true;
	if (code == FIDO_ERR_PIN_INVALID) {
		signing->pin_given = false;
		return tell_wrong(signing);
	}
	if (code_is_stranger(code) && signing->key != NULL)
		token_forget(signing->tokens, signing->token, buf_bytes(&signing->key->blob));
	return code_error(signing->operation, code);
}

/* Where presence is demanded the PIN is typed for this very request, and so it is to read keys. */
static bool may_keep(const struct signing *signing)
{
	return signing->spend == NULL && !signing->request->remote &&
	       signing->request->demand == KS_PRESENCE_NONE;
}

/* What it was is remembered where it was wrong. */
static void note_attempt(struct attempts *attempts, struct signing *signing)
{
	attempts->wrong[attempts->count++] = signing->pin;
	signing->pin = (struct secret){0};
}

/* KS_PIN_NEEDED: none is kept, or it is not right any more. */
static enum ks_error try_kept(
	struct signing *signing, struct attempts *attempts, struct buf *signature)
{
	uint32_t tries = 0;
	enum ks_error error = KS_PIN_NEEDED;

	if (may_keep(signing))
		error = kept_pin_get(signing->tokens, signing->token, &signing->pin);
	if (error == KS_OK)
		error = guard(signing, &tries);
	/* Nobody has typed it just now: it may have been changed. */
	if (error == KS_OK && tries < KEPT_TRIES_MIN)
		error = KS_PIN_NEEDED;
	if (error == KS_OK)
		error = send(signing, false, tries, signature);
	if (error == KS_PIN_WRONG || error == KS_PIN_BLOCKED || error == KS_UNSUPPORTED)
		kept_pin_drop(signing->tokens, signing->token);
	if (error != KS_PIN_WRONG) {
		secret_deinit(&signing->pin);
		return error;
	}
	note_attempt(attempts, signing);
	return KS_PIN_NEEDED;
}

static enum ks_error attempt(
	struct signing *signing, struct attempts *attempts, bool retry, struct buf *signature)
{
	uint32_t tries = 0;
	enum ks_error error = guard(signing, &tries);

	if (error == KS_OK)
		error = ask(signing, retry, tries);
	if (error == KS_OK)
		error = check(signing, attempts);
	if (error == KS_OK)
		error = send(signing, true, tries, signature);
	if (error == KS_OK && may_keep(signing))
		kept_pin_put(signing->tokens, signing->token, &signing->pin);
	note_attempt(attempts, signing);
	return error;
}

enum ks_error pin_sign(struct signing *signing, struct buf *signature)
{
	struct attempts attempts = {0};
	enum ks_error error = try_kept(signing, &attempts, signature);

	if (error == KS_PIN_NEEDED)
		error = KS_PIN_WRONG;
	for (unsigned asked = 0;
		asked < ASKED_MAX && signing->pins_asked < PINS_ASKED_MAX && error == KS_PIN_WRONG;
		asked++)
		error = attempt(signing, &attempts, asked > 0, signature);
	for (unsigned i = 0; i < attempts.count; i++)
		secret_deinit(&attempts.wrong[i]);
	return error;
}

enum ks_error pin_spend(struct signing *signing)
{
	const struct attempts none = {0};
	uint32_t tries = 0;
	enum ks_error error = guard(signing, &tries);

	if (error == KS_OK)
		error = check(signing, &none);
	return error == KS_OK ? send(signing, true, tries, NULL) : error;
}
