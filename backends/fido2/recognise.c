/*
 * Which of the remembered keys a token has. It is asked for a signature with each, which needs
 * nobody, and what it signs is verified: so it can't be said to have what is on another one. A key
 * that hides (credProtect 3) can't be asked for without a PIN. It counts as there where the token
 * has shown another one that was read together with it; where there is none, on a token that is
 * called the same and has shown nothing else: a signature will tell, and needs the PIN anyway.
 */
#include <string.h>

#include <fido/err.h>

#include <keystile/log.h>

#include "code.h"
#include "residents.h"
#include "signing.h"

/* A token that another program uses is asked later. */
#define AGAIN_MS 500

enum finding { FREE_PLACE, NOT_THERE, SHOWN, HIDES };

/* What is asked of one token. */
struct inquiry {
	struct residents *residents;
	struct signing signing;
	struct fido_token *token;
	struct ks_sign request;
	enum finding found[RESIDENTS_MAX];
	char groups[RESIDENTS_MAX][RESIDENT_GROUP_TEXT];
};

static enum finding finding_of(const struct token_info *info, int32_t code)
{
	if (code == TOKEN_CODE_OK)
		return SHOWN;
	if (code_is_stranger(code))
		return NOT_THERE;
	/* One that always wants its PIN can't be asked for any. */
	return info->pin_set || info->verifies ? HIDES : NOT_THERE;
}

/* An error: there is no use in asking for more. */
static enum ks_error ask_for(struct inquiry *inquiry, unsigned place)
{
	int32_t code;
	enum ks_error error = ask_silently(&inquiry->signing, inquiry->token, &code);

	if (error == KS_UNSUPPORTED) {
		inquiry->found[place] = HIDES;
		return KS_OK;
	}
	if (error != KS_OK)
		return error;
	if (code == TOKEN_CODE_GONE || code == TOKEN_CODE_LATE || code == TOKEN_CODE_CONFINE ||
		code == FIDO_ERR_CHANNEL_BUSY)
		return code_error(inquiry->signing.operation, code);
	inquiry->found[place] = finding_of(&inquiry->token->session.info, code);
	if (inquiry->found[place] == SHOWN)
		token_learn(inquiry->signing.tokens, inquiry->token,
			buf_bytes(&inquiry->signing.key->blob));
	return KS_OK;
}

/* A reference, and what is in that place now; NULL: nothing. */
static struct key_handle *look_at(struct inquiry *inquiry, unsigned place, bool *hidden)
{
	struct residents *residents = inquiry->residents;
	struct key_handle *key = NULL;

	pthread_mutex_lock(&residents->tokens->lock);
	const struct resident *resident = residents->at[place];
	if (resident != NULL) {
		*hidden = resident->hidden;
		strcpy(inquiry->groups[place], resident->group);
		key = key_handles_find(&residents->handles, buf_bytes(&resident->blob));
	}
	pthread_mutex_unlock(&residents->tokens->lock);
	return key;
}

static enum ks_error ask_place(struct inquiry *inquiry, unsigned place)
{
	const struct token_info *info = &inquiry->token->session.info;
	bool hidden = false;
	struct key_handle *key = look_at(inquiry, place, &hidden);
	enum ks_error error = KS_OK;

	if (key == NULL)
		return KS_OK;
	inquiry->found[place] = info->pin_set || info->verifies ? HIDES : NOT_THERE;
	inquiry->signing.key = key;
	if (!hidden)
		error = ask_for(inquiry, place);
	inquiry->signing.key = NULL;
	key_handles_release(&inquiry->residents->handles, key);
	return error;
}

static bool any(const struct inquiry *inquiry, const char *group, enum finding found)
{
	for (unsigned i = 0; i < RESIDENTS_MAX; i++)
		if (inquiry->found[i] == found &&
			(group == NULL || strcmp(inquiry->groups[i], group) == 0))
			return true;
	return false;
}

/* Under the lock. */
static bool has(const struct inquiry *inquiry, unsigned place)
{
	const struct resident *resident = inquiry->residents->at[place];
	const char *group = inquiry->groups[place];

	if (resident == NULL || strcmp(resident->group, group) != 0)
		return false;
	if (inquiry->found[place] != HIDES)
		return inquiry->found[place] == SHOWN;
	if (any(inquiry, group, SHOWN))
		return true;
	return !any(inquiry, NULL, SHOWN) && !any(inquiry, group, NOT_THERE) &&
	       strcmp(resident->model, inquiry->token->product) == 0;
}

static void tell(struct inquiry *inquiry)
{
	struct fido_token *token = inquiry->token;

	pthread_mutex_lock(&inquiry->residents->tokens->lock);
	token->asked = true;
	for (unsigned i = 0; i < RESIDENTS_MAX; i++)
		token->shows[i] = has(inquiry, i);
	if (!token->gone)
		residents_report(inquiry->residents, token);
	pthread_mutex_unlock(&inquiry->residents->tokens->lock);
}

static bool any_remembered(struct residents *residents)
{
	bool there = false;

	pthread_mutex_lock(&residents->tokens->lock);
	for (unsigned i = 0; i < RESIDENTS_MAX; i++)
		there = there || residents->at[i] != NULL;
	pthread_mutex_unlock(&residents->tokens->lock);
	return there;
}

static enum ks_error inquire(struct inquiry *inquiry)
{
	enum ks_error error = ask_open(&inquiry->signing, inquiry->token);

	if (error != KS_OK || !inquiry->token->session.info.fido2)
		return error;
	for (unsigned i = 0; i < RESIDENTS_MAX && error == KS_OK; i++)
		error = ask_place(inquiry, i);
	return error;
}

enum ks_error recognise(
	struct residents *residents, struct ks_operation *operation, struct fido_token *token)
{
	struct inquiry inquiry = {.residents = residents, .token = token};
	enum ks_error error = KS_OK;

	inquiry.signing = (struct signing){.operation = operation,
		.tokens = residents->tokens,
		.finder = residents->finder,
		.request = &inquiry.request};
	if (any_remembered(residents))
		error = inquire(&inquiry);
	if (error == KS_OK)
		tell(&inquiry);
	return error;
}

/* ---- Without being asked ---- */

/* Under the lock: the next one that is to be asked and free, with a reference. */
static struct fido_token *next_token(const struct residents *residents)
{
	struct fido_token *token = residents->tokens->first;

	while (token != NULL && (token->asked || token->given_up || token->busy))
		token = token->next;
	if (token != NULL && residents->wanted) {
		token->references++;
		return token;
	}
	return NULL;
}

/* What failed for good is not tried again until the person asks, or the token is put in again. */
static bool ask_now(struct residents *residents, struct fido_token *token)
{
	struct tokens *tokens = residents->tokens;
	enum ks_error error = token_take_at_once(tokens, token);

	if (error == KS_OK) {
		if (!token->asked)
			error = recognise(residents, NULL, token);
		if (error != KS_OK && error != KS_BUSY) {
			log_info("a security key was not asked for its resident keys: %s",
				ks_error_text(error));
			token->given_up = true;
		}
		token_give_back(tokens, token);
	}
	token_unreference(tokens, token);
	return error != KS_BUSY;
}

void *recognise_main(void *owner)
{
	struct residents *residents = owner;
	struct tokens *tokens = residents->tokens;

	pthread_mutex_lock(&tokens->lock);
	while (!residents->ending) {
		struct fido_token *token = next_token(residents);

		if (token == NULL) {
			pthread_cond_wait(&tokens->freed, &tokens->lock);
			continue;
		}
		pthread_mutex_unlock(&tokens->lock);
		bool asked = ask_now(residents, token);
		pthread_mutex_lock(&tokens->lock);
		if (!asked && !residents->ending)
			tokens_wait_ms(tokens, AGAIN_MS);
	}
	pthread_mutex_unlock(&tokens->lock);
	return NULL;
}
