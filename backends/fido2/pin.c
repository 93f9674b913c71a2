/*
 * The PIN: for the token that is open and has shown that it holds the key, never its last try,
 * never the same wrong one twice.
 */
#include <string.h>

#include <fido/err.h>

#include <keystile/log.h>

#include "code.h"
#include "signing.h"

#define ASKED_MAX 3 /* a token wants to be pulled after three wrong ones in a row */
/* CTAP 2.1 section 6.5.1: code points, then bytes. */
#define PIN_BYTES_MIN 4
#define PIN_BYTES_MAX 63

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

static enum ks_error check(
	struct signing *signing, const struct secret wrong[static ASKED_MAX], unsigned asked)
{
	const struct secret *pin = &signing->pin;

	if (pin->len < PIN_BYTES_MIN || pin->len > PIN_BYTES_MAX) {
		ks_explain(signing->operation,
			"a PIN of a security key has %d to %d characters; nothing was sent to it",
			PIN_BYTES_MIN, PIN_BYTES_MAX);
		return KS_PIN_WRONG;
	}
	for (unsigned i = 0; i < asked; i++) {
		if (wrong[i].len == 0 || !same(&wrong[i], pin))
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

static enum ks_error send(struct signing *signing, struct buf *signature)
{
	int32_t code;
	enum ks_error error;

	signing->pin_given = true;
	error = signing->spend != NULL ? signing->spend(signing, &code)
				       : ask_assertion(signing, true, &code, signature);
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

static enum ks_error attempt(struct signing *signing, const struct secret wrong[static ASKED_MAX],
	unsigned asked, struct buf *signature)
{
	uint32_t tries = 0;
	enum ks_error error = guard(signing, &tries);

	if (error == KS_OK)
		error = ask(signing, asked > 0, tries);
	if (error == KS_OK)
		error = check(signing, wrong, asked);
	if (error == KS_OK)
		error = send(signing, signature);
	return error;
}

enum ks_error pin_sign(struct signing *signing, struct buf *signature)
{
	struct secret wrong[ASKED_MAX] = {0};
	enum ks_error error = KS_PIN_WRONG;

	for (unsigned asked = 0;
		asked < ASKED_MAX && signing->pins_asked < PINS_ASKED_MAX && error == KS_PIN_WRONG;
		asked++) {
		error = attempt(signing, wrong, asked, signature);
		wrong[asked] = signing->pin;
		signing->pin = (struct secret){0};
	}
	for (unsigned i = 0; i < ASKED_MAX; i++)
		secret_deinit(&wrong[i]);
	return error;
}

enum ks_error pin_spend(struct signing *signing)
{
	const struct secret none[ASKED_MAX] = {0};
	uint32_t tries;
	enum ks_error error = guard(signing, &tries);

	if (error == KS_OK)
		error = check(signing, none, 0);
	return error == KS_OK ? send(signing, NULL) : error;
}
