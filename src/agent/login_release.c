/*
 * See login_release.h. The worker is asked to give the token back, as `keystile release` would ask
 * it; that the login is over then is for it to say.
 */
#include "login_release.h"

#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "expiry.h"
#include "provider.h"

/* For one that has too much to do just then. */
#define AGAIN_SECONDS 5

/* 0: never. Tokens that only we use need not be given back, unless somebody wants that. */
static uint32_t seconds_of(const struct token *token)
{
	const struct provider *provider = token->provider;

	if (provider->release_said)
		return provider->release_after_s;
	return (token->flags & KS_TOKEN_SHARED) != 0 ? provider->agent->config.release_after_s : 0;
}

static void release_in(struct token *token, uint32_t seconds)
{
	token->release_ms = expiry_after(seconds);
	expiry_at(token->provider->agent, token->release_ms);
}

void login_release_used(struct token *token)
{
	uint32_t seconds = seconds_of(token);

	token->release_ms = 0;
	if ((token->flags & KS_TOKEN_LOGGED_IN) != 0 && seconds > 0)
		release_in(token, seconds);
}

/* Its keys may have been read anew, which is no use of its login. */
void login_release_look(struct token *token)
{
	if ((token->flags & KS_TOKEN_LOGGED_IN) == 0 || token->release_ms == 0)
		login_release_used(token);
}

void login_release_say(struct provider *provider, uint32_t seconds)
{
	bool sooner = provider->release_after_s == 0 ||
		      (seconds > 0 && seconds < provider->release_after_s);

	if (!provider->release_said || sooner)
		provider->release_after_s = seconds;
	provider->release_said = true;
}

void login_release_follow(struct provider *provider)
{
	for (struct token *token = provider->tokens; token != NULL; token = token->next)
		login_release_used(token);
}

static bool is_in_use(const struct token *token)
{
	const struct operation *operation = token->provider->worker->operations;

	while (operation != NULL &&
		(operation->type != FRAME_SIGN || operation->token != token->id))
		operation = operation->next;
	return operation != NULL;
}

/* What came of it the token's next report says. */
static void on_released(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	(void)operation;
	(void)error;
	(void)words;
	(void)result;
}

static void release(struct token *token)
{
	static const struct operation_events events = {.done = on_released};
	struct frame frame = {.type = FRAME_RELEASE, .release.token = token->id};
	const struct operation_wish wish = {.frame = &frame, .fd = -1, .events = &events};
	char quoted[TEXT_QUOTED_MAX];
	struct operation *operation;

	token->release_ms = 0;
	if (token->provider->state != PROVIDER_READY || token->absent || token->unconfirmed)
		return;
	if (is_in_use(token) ||
		worker_operate(token->provider->worker, &wish, &operation) != KS_OK) {
		release_in(token, AGAIN_SECONDS);
		return;
	}
	log_info("nobody used token %s for a while: its login ends",
		text_quote(bytes_of(token->label), quoted));
}

uint64_t login_release_due(struct agent *agent, uint64_t now_ms)
{
	uint64_t next_ms = 0;

	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		for (struct token *token = provider->tokens; token != NULL; token = token->next) {
			if (token->release_ms != 0 && token->release_ms <= now_ms)
				release(token);
			if (token->release_ms != 0 && (next_ms == 0 || token->release_ms < next_ms))
				next_ms = token->release_ms;
		}
	return next_ms;
}
