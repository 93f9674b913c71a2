/*
 * The touch that a token waits for: the person is told, as long as it waits. Somebody who sits
 * before the token sees its light, so that a notice which fails does no harm there. For a request
 * from afar the notice is all that tells its touch from another one's: the token is asked only
 * once the notice is shown and has stood for a while, and what was asked ends with the notice
 * (DESIGN: presence).
 */
#include <stdio.h>
#include <stdlib.h>

#include <keystile/text.h>

#include "agent.h"
#include "prompt_text.h"
#include "sign_journey.h"

/* How long the notice stands first: time to read it, and to hold back a finger. */
#define NOTICE_MS 1000
/* After the last signature with that token: a finger may still be on its way for that. */
#define QUIET_MS 3000

/* Freed in its close callback, so it outlives a request that ends. */
struct touch_pause {
	uv_timer_t timer;
	struct sign *sign;
};

static void on_pause_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void sign_touch_end(struct sign *sign)
{
	if (sign->pause != NULL)
		uv_close((uv_handle_t *)&sign->pause->timer, on_pause_closed);
	if (sign->notice != NULL)
		prompt_withdraw(sign->notice);
	sign->pause = NULL;
	sign->notice = NULL;
}

/* Without presence that is demanded, a touch is only what the token wants for itself. */
static bool needs_notice(const struct sign *sign)
{
	return sign_remote(sign) && sign->verdict.demand != 0;
}

static void refuse_untold(struct sign *sign, const char *words)
{
	char reason[512];

	snprintf(reason, sizeof(reason), "nobody could be told of the touch: %s", words);
	sign_refuse(sign, reason, "notices are in keystile.conf(5)");
}

static void refuse_busy(struct sign *sign)
{
	sign_refuse(sign,
		"the token is busy with another request, which the touch could be meant for",
		"try again");
}

/* ---- The notice ---- */

/* Closed by the person, over its time or failed; the token still waits. */
static void on_notice_gone(void *owner, enum prompt_status status, int pin_fd)
{
	struct sign *sign = owner;
	const char *words = prompt_words(sign->notice);
	char copy[TEXT_QUOTED_MAX];

	(void)pin_fd;
	snprintf(copy, sizeof(copy), "%s", words[0] != '\0' ? words : "the notice failed");
	sign->notice = NULL;
	if (!needs_notice(sign))
		return;
	if (status == PROMPT_NO)
		sign_refuse(sign, "the notice of the touch was closed, or its time was over", NULL);
	else
		refuse_untold(sign, copy);
}

/* Until enough time has gone by since the last signature with its token. */
static uint64_t quiet_left_ms(const struct sign *sign)
{
	uint64_t end_ms =
		QUIET_MS + quiet_since_ms(&sign->worker->quiet, operation_token(sign->operation));
	uint64_t now_ms = uv_now(&sign->connection->agent->loop);

	return end_ms > now_ms ? end_ms - now_ms : 0;
}

/* The end of the one before may have been told meanwhile. */
static void on_stood(uv_timer_t *timer)
{
	struct sign *sign = ((struct touch_pause *)timer->data)->sign;
	uint64_t left_ms = quiet_left_ms(sign);

	if (left_ms > 0) {
		uv_timer_start(timer, on_stood, left_ms, 0);
		return;
	}
	uv_close((uv_handle_t *)timer, on_pause_closed);
	sign->pause = NULL;
	if (operation_is_alone(sign->operation))
		operation_answer_touch(sign->operation, KS_OK);
	else
		refuse_busy(sign);
}

static void on_shown(void *owner)
{
	struct sign *sign = owner;
	uv_loop_t *loop = &sign->connection->agent->loop;
	uint64_t quiet_ms = quiet_left_ms(sign);

	sign->pause = calloc(1, sizeof(*sign->pause));
	if (sign->pause == NULL) {
		sign_refuse_error(sign, KS_NO_MEMORY, bytes_of(NULL));
		return;
	}
	sign->pause->sign = sign;
	sign->pause->timer.data = sign->pause;
	uv_timer_init(loop, &sign->pause->timer);
	uv_timer_start(
		&sign->pause->timer, on_stood, quiet_ms > NOTICE_MS ? quiet_ms : NOTICE_MS, 0);
}

/* ---- What the worker says ---- */

static void tell(struct sign *sign, struct token *token)
{
	struct prompt_facts facts = sign_prompt_facts(sign, token);
	const struct sign_question question = {.kind = PROMPT_NOTICE,
		.facts = &facts,
		.answered = on_notice_gone,
		.shown = needs_notice(sign) ? on_shown : NULL};
	enum ks_error error = KS_NO_TOKEN;

	sign->not_asked = "the token is not there any more";
	facts.what = PROMPT_FOR_TOUCH;
	facts.end_refuses = needs_notice(sign);
	if (token != NULL)
		error = sign_ask(sign, &question, &sign->notice);
	if (!needs_notice(sign)) {
		sign->not_asked = NULL; /* it will be no reason for anything */
		operation_answer_touch(sign->operation, KS_OK);
	} else if (error != KS_OK) {
		refuse_untold(sign, sign->not_asked);
	}
}

void sign_yield(struct sign *sign)
{
	sign_refuse(sign, "somebody at this machine needed the token before its touch came",
		"try again");
}

void sign_touch_wanted(struct operation *operation, uint32_t token_id, bool awaited)
{
	struct sign *sign = operation->owner;

	sign_touch_end(sign);
	if (!awaited)
		return;
	if (operation_is_in_the_way(operation))
		sign_yield(sign);
	else if (needs_notice(sign) && !operation_is_alone(operation))
		refuse_busy(sign);
	else
		tell(sign, sign_token_in_use(sign, token_id));
}

void sign_touch_yield(const struct worker *worker, uint32_t token_id)
{
	struct operation *operation;

	while ((operation = worker_remote_user(worker, token_id)) != NULL)
		sign_yield(operation->owner);
}

/* Who sits here does not wait for somebody afar. */
void sign_waits(struct operation *operation)
{
	if (!operation->remote)
		sign_touch_yield(operation->worker, operation->waits_for);
}
