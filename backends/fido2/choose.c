/*
 * Which of the security keys holds the key: the one that is remembered, or the one that shows it by
 * an assertion without a touch. Where credentials hide from such a question (credProtect 3), the
 * one that the person touches.
 */
#include <string.h>

#include <fido/err.h>

#include <keystile/log.h>

#include "code.h"
#include "signing.h"

/* What asking around has shown. */
struct choice {
	struct signing *signing;
	struct fido_token *present[TOKENS_MAX];
	size_t count;
	bool busy[TOKENS_MAX];	/* not asked yet */
	bool maybe[TOKENS_MAX]; /* it could not be asked silently */
	enum ks_error worst;	/* of those that could not be asked at all */
};

static struct bytes blob_of(const struct signing *signing)
{
	return buf_bytes(&signing->key->blob);
}

/* A finger or a PIN decides later whether it is the right one; a PIN wants more than memory. */
static bool needs_no_question(struct signing *signing, struct fido_token *token)
{
	if (token_proved(signing->tokens, token, blob_of(signing)))
		return true;
	return !signing->verified && token_knows(signing->tokens, token, blob_of(signing));
}

/* Of a credential that hides, the token says the same as of none. */
static bool may_hide(const struct signing *signing, const struct token_info *info)
{
	bool verify = (signing->key->key.sk_flags & SK_FLAG_USER_VERIFIED) != 0;

	return verify && info->fido2 && (info->pin_set || info->verifies);
}

/* KS_OK: it holds the key. KS_NO_KEY: it does not. KS_UNSUPPORTED: it can't tell. */
static enum ks_error question(struct signing *signing, struct fido_token *token)
{
	int32_t code;
	enum ks_error error = ask_silently(signing, token, &code);

	if (error != KS_OK)
		return error;
	if (code == TOKEN_CODE_OK || code == FIDO_ERR_USER_PRESENCE_REQUIRED) {
		token_learn(signing->tokens, token, blob_of(signing));
		return KS_OK;
	}
	if (code == TOKEN_CODE_GONE || code == TOKEN_CODE_LATE || code == FIDO_ERR_CHANNEL_BUSY)
		return code_error(signing->operation, code);
	if (code_is_stranger(code) && !may_hide(signing, &token->session.info)) {
		token_forget(signing->tokens, token, blob_of(signing));
		return KS_NO_KEY;
	}
	return KS_UNSUPPORTED;
}

/* The token is taken; given back unless it is the one. */
static enum ks_error try_taken(struct signing *signing, struct fido_token *token)
{
	enum ks_error error = ask_open(signing, token);

	if (error == KS_OK && !needs_no_question(signing, token))
		error = question(signing, token);
	if (error == KS_OK)
		signing->token = token;
	else
		token_give_back(signing->tokens, token);
	return error;
}

static enum ks_error take(struct signing *signing, struct fido_token *token, bool wait)
{
	if (!wait)
		return token_take_at_once(signing->tokens, token);
	return tokens_take(
		signing->tokens, signing->operation, signing->request->remote, &token, 1);
}

void choose_note_loss(struct signing *signing, struct fido_token *token)
{
	signing->lost |= token_knows(signing->tokens, token, blob_of(signing));
}

/* True when there is nothing more to find out. */
static bool try_one(struct choice *choice, size_t number, bool wait, enum ks_error *error)
{
	struct signing *signing = choice->signing;
	struct fido_token *token = choice->present[number];

	choice->busy[number] = false;
	*error = take(signing, token, wait);
	if (*error == KS_BUSY && !wait) {
		choice->busy[number] = true;
		return false;
	}
	if (*error == KS_OK)
		*error = try_taken(signing, token);
	if (*error == KS_NO_TOKEN)
		choose_note_loss(signing, token);
	if (*error == KS_UNSUPPORTED)
		choice->maybe[number] = true;
	else if (*error != KS_OK && *error != KS_NO_KEY)
		choice->worst = *error;
	return *error == KS_OK || ks_cancelled(signing->operation);
}

/*
 * Those that are free first: no token waits for another one's touch. Nor does the news that the
 * right one was pulled.
 */
static enum ks_error ask_around(struct choice *choice)
{
	enum ks_error error = KS_NO_KEY;

	for (size_t i = 0; i < choice->count; i++) {
		bool known = token_knows(
			choice->signing->tokens, choice->present[i], blob_of(choice->signing));

		if (try_one(choice, i, known, &error))
			return error;
	}
	for (size_t i = 0; i < choice->count && !choice->signing->lost; i++)
		if (choice->busy[i] && try_one(choice, i, true, &error))
			return error;
	return KS_NO_KEY;
}

/* ---- By touch ---- */

/*
 * One that needs no PIN is its own choice: the touch for the signature. Before a PIN is asked for
 * choose_surely() wants one.
 */
static enum ks_error let_choose(
	struct signing *signing, struct fido_token *const *candidates, size_t count)
{
	enum ks_error error = KS_OK;

	for (size_t i = 0; i < count && error == KS_OK; i++)
		error = ask_open(signing, candidates[i]);
	if (error != KS_OK)
		return error;
	if (count > 1)
		return ask_choice(signing, candidates, count, &signing->token);
	signing->token = candidates[0];
	signing->hidden = true;
	return KS_OK;
}

static enum ks_error take_and_choose(
	struct signing *signing, struct fido_token *const *candidates, size_t count)
{
	enum ks_error error = tokens_take(
		signing->tokens, signing->operation, signing->request->remote, candidates, count);

	if (error != KS_OK)
		return error;
	error = let_choose(signing, candidates, count);
	for (size_t i = 0; i < count; i++)
		if (candidates[i] != signing->token)
			token_give_back(signing->tokens, candidates[i]);
	if (signing->token != NULL && !signing->hidden)
		token_learn(signing->tokens, signing->token, blob_of(signing));
	return error;
}

enum ks_error choose_surely(struct signing *signing)
{
	struct fido_token *token = signing->token;
	enum ks_error error = KS_UNSUPPORTED;

	/* To read what is on it is no signature with any of its keys. */
	if (signing->key == NULL || token_proved(signing->tokens, token, blob_of(signing)))
		return KS_OK;
	if (!signing->hidden)
		error = question(signing, token);
	if (error == KS_NO_KEY)
		return code_error(signing->operation, FIDO_ERR_NO_CREDENTIALS);
	if (error != KS_UNSUPPORTED)
		return error;
	error = ask_choice(signing, &token, 1, &signing->token);
	signing->token = token;
	if (error == KS_OK)
		token_learn(signing->tokens, token, blob_of(signing));
	return error;
}

static enum ks_error nobody_has_it(const struct choice *choice)
{
	struct ks_operation *operation = choice->signing->operation;

	if (choice->worst != KS_OK && !choice->signing->lost)
		return choice->worst;
	if (choice->signing->lost || (choice->count == 0 && choice->signing->seen))
		ks_explain(operation, "token removed: the security key was pulled out");
	else if (choice->count == 0)
		ks_explain(operation, "no security key is plugged in");
	else
		ks_explain(operation, "no security key that is plugged in holds this key%s",
			choice->signing->verified ? ", or it has no PIN" : "");
	return KS_NO_TOKEN;
}

/* One that was just plugged in may not have been heard of: that one is asked too. */
static bool is_outdated(const struct choice *choice)
{
	const struct signing *signing = choice->signing;
	struct fido_token *now[TOKENS_MAX];
	size_t count;

	finder_look(signing->finder);
	count = tokens_present(signing->tokens, blob_of(signing), now);
	for (size_t i = 0; i < count; i++)
		token_unreference(signing->tokens, now[i]);
	return count != choice->count;
}

static enum ks_error choose_maybe(struct choice *choice)
{
	struct fido_token *candidates[TOKENS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < choice->count; i++)
		if (choice->maybe[i])
			candidates[count++] = choice->present[i];
	if (count == 0)
		return nobody_has_it(choice);
	if (count == 1 && is_outdated(choice))
		return KS_NO_TOKEN;
	return take_and_choose(choice->signing, candidates, count);
}

enum ks_error choose_token(struct signing *signing)
{
	struct choice choice = {.signing = signing};
	enum ks_error error;

	choice.count = tokens_present(signing->tokens, blob_of(signing), choice.present);
	if (choice.count == 0) {
		finder_look(signing->finder);
		choice.count = tokens_present(signing->tokens, blob_of(signing), choice.present);
	}
	signing->seen |= choice.count > 0;
	error = ask_around(&choice);
	if (error == KS_NO_KEY)
		error = choose_maybe(&choice);
	for (size_t i = 0; i < choice.count; i++)
		if (choice.present[i] != signing->token)
			token_unreference(signing->tokens, choice.present[i]);
	return error;
}
