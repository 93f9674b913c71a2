/*
 * A signature that came while the agent is locked, and waits until the person unlocks it. See
 * unlock_wait.h.
 */
#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit_sign.h"
#include "lock.h"
#include "sign_journey.h"
#include "unlock_wait.h"

static const char remedy[] = "ssh-add -X unlocks it";

static void on_password(void *owner, enum prompt_status status, int fd)
{
	struct sign *sign = owner;

	sign->prompt = NULL;
	unlock_answered(sign->connection->agent, status, fd);
}

static enum ks_error ask(void *owner)
{
	struct sign *sign = owner;
	struct prompt_facts facts = sign_prompt_facts(sign, NULL);
	const struct sign_question question = {
		.kind = PROMPT_PIN, .facts = &facts, .answered = on_password};

	facts.what = PROMPT_FOR_UNLOCK;
	facts.wrong_before = lock_failures(sign->connection->agent->lock);
	return sign_ask(sign, &question, &sign->prompt);
}

static void on_ended(void *owner, enum unlock_end end, const char *refusal)
{
	struct sign *sign = owner;

	sign->unlock = NULL;
	if (sign->prompt != NULL)
		prompt_withdraw(sign->prompt);
	sign->prompt = NULL;
	if (end == UNLOCK_REFUSED) {
		sign_refuse(sign, refusal, remedy);
		return;
	}
	audit_sign_unlocked(sign->connection, end == UNLOCK_TYPED);
	sign->request.state = REQUEST_BEGUN;
	sign_decide_on(sign);
}

static const struct unlock_events unlock_events = {.ask = ask, .ended = on_ended};

static void refuse_unasked(struct sign *sign)
{
	const char *why = sign->not_asked != NULL ? sign->not_asked : "out of memory";
	AUTO(text) reason =
		text_format("the agent is locked, and nobody could be asked to unlock it: %s", why);

	sign_refuse(sign, reason != NULL ? reason : why, remedy);
}

void sign_await_unlock(struct sign *sign)
{
	struct connection *connection = sign->connection;
	const char *barred = lock_bars(connection);

	sign->request.state = REQUEST_UNLOCKING;
	if (barred != NULL)
		sign_refuse(sign, barred, remedy);
	else if (unlock_await(connection->agent, &unlock_events, sign, &sign->unlock) != KS_OK)
		refuse_unasked(sign);
}
