/*
 * A signature with a key whose token is away and stays listed: the person is told to insert it,
 * and the request goes on when it is there, with all that is demanded of it. To insert a token is
 * no presence: it may have been meant for something else.
 */
#include <stdio.h>

#include <keystile/text.h>

#include "agent.h"
#include "insertion.h"
#include "prompt_text.h"
#include "provider.h"
#include "sign_journey.h"

static void refuse_untold(struct sign *sign, const char *words)
{
	char reason[512];

	snprintf(reason, sizeof(reason), "the token is not inserted, and nobody could be told: %s",
		words);
	sign_refuse(sign, reason, "insert the token, then try again");
}

/* Closed by the person, over its time or failed. */
static void on_notice_gone(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;
	const char *words = prompt_words(sign->notice);
	char copy[TEXT_QUOTED_MAX];

	(void)pin_fd;
	snprintf(copy, sizeof(copy), "%s", words[0] != '\0' ? words : "the notice failed");
	sign->notice = NULL;
	if (status == PROMPT_NO)
		sign_refuse(sign,
			"the token was not inserted: the notice was closed, or its time was over",
			"insert the token, then try again");
	else
		refuse_untold(sign, copy);
}

static void on_looked(void *owner, bool there)
{
	struct sign *sign = owner;

	sign->insertion = NULL;
	sign_touch_end(sign);
	if (!there)
		sign_refuse_error(sign, KS_NO_TOKEN, bytes_of("its provider was removed"));
	else if (sign_still_decided(sign))
		sign_proceed(sign);
}

void sign_await_token(struct sign *sign)
{
	struct agent *agent = sign->connection->agent;
	struct prompt_facts facts = sign_prompt_facts(sign, key_source(sign->key)->token);
	const struct sign_question question = {
		.kind = PROMPT_NOTICE, .facts = &facts, .answered = on_notice_gone};

	facts.what = PROMPT_FOR_INSERTION;
	facts.end_refuses = true;
	sign->awaited_token = true;
	sign->request.state = REQUEST_INSERTING;
	sign->insertion = insertion_await(agent, sign->key, on_looked, sign);
	if (sign->insertion == NULL)
		sign_refuse_error(sign, KS_NO_MEMORY, bytes_of(NULL));
	else if (sign_ask(sign, &question, &sign->notice) != KS_OK)
		refuse_untold(sign, sign->not_asked);
}

bool sign_token_left(struct sign *sign)
{
	const struct key_source *source = key_source(sign->key);
	struct token *token = source == NULL ? NULL : source->token;

	if (token == NULL || token_takes_keys(token) || !token->provider->lists_absent ||
		sign->awaited_token)
		return false;
	/* Its worker may have found that out just now, and not have told of it. */
	if (!token->absent && token->id == sign->token && token->provider->worker == sign->worker)
		provider_lose_token(token->provider, token);
	return token->absent;
}
