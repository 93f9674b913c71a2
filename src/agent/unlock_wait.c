/*
 * See unlock_wait.h. What is typed comes by a pipe, as PINs do, and is read into locked memory,
 * digested and wiped at once.
 */
#include "unlock_wait.h"

#include <fcntl.h>
#include <stdlib.h>

#include <keystile/cleanup.h>
#include <keystile/secret.h>

#include "agent.h"
#include "lock.h"

struct unlock_wait {
	struct unlock_wait *next;
	struct agent *agent;
	bool asked; /* was there when the question was answered */
	const struct unlock_events *events;
	void *owner;
};

static void take_out(struct unlock_wait *wait)
{
	struct unlock_waits *waits = &wait->agent->unlock_waits;
	struct unlock_wait **at = &waits->first;

	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	if (waits->shown == wait)
		waits->shown = NULL;
	free(wait);
}

static void end(struct unlock_wait *wait, enum unlock_end how, const char *refusal)
{
	const struct unlock_events *events = wait->events;
	void *owner = wait->owner;

	take_out(wait);
	events->ended(owner, how, refusal);
}

static struct unlock_wait *first_asked(const struct unlock_waits *waits)
{
	struct unlock_wait *wait = waits->first;

	while (wait != NULL && !wait->asked)
		wait = wait->next;
	return wait;
}

static void mark_all_asked(struct unlock_waits *waits)
{
	for (struct unlock_wait *wait = waits->first; wait != NULL; wait = wait->next)
		wait->asked = true;
}

static void refuse_asked(struct agent *agent, const char *refusal)
{
	struct unlock_wait *wait;

	while ((wait = first_asked(&agent->unlock_waits)) != NULL)
		end(wait, UNLOCK_REFUSED, refusal);
}

static void forget_attempt(struct unlock_waits *waits)
{
	if (waits->attempt != NULL)
		attempt_leave(waits->attempt);
	waits->attempt = NULL;
}

static enum ks_error ask_for(struct unlock_wait *wait)
{
	enum ks_error error = wait->events->ask(wait->owner);

	if (error == KS_OK)
		wait->agent->unlock_waits.shown = wait;
	return error;
}

/* For those that are left. */
static void ask_again(struct agent *agent)
{
	struct unlock_waits *waits = &agent->unlock_waits;

	if (waits->first == NULL || waits->shown != NULL || waits->attempt != NULL ||
		ask_for(waits->first) == KS_OK)
		return;
	mark_all_asked(waits);
	refuse_asked(agent, "the agent is locked, and nobody could be asked to unlock it");
}

/* ---- The answer ---- */

static void on_tried(void *owner, const char *refusal)
{
	struct agent *agent = owner;
	struct unlock_waits *waits = &agent->unlock_waits;

	waits->attempt = NULL;
	if (refusal == NULL) {
		while (waits->first != NULL)
			end(waits->first, UNLOCK_TYPED, NULL);
		return;
	}
	refuse_asked(agent, refusal);
	ask_again(agent);
}

static enum ks_error read_password(int fd, struct secret *password)
{
	enum ks_error error = secret_init(password, KS_PIN_MAX);

	/* Who wrote it has ended, so all of it is there: whatever happened, nothing waits here. */
	if (error == KS_OK && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		error = KS_BAD_INPUT;
	return error == KS_OK ? secret_read(password, fd) : error;
}

/* Why it can't be tried, static; NULL: on_tried() comes. */
static const char *try_typed(struct agent *agent, int fd)
{
	struct secret password = {0};
	enum ks_error error = read_password(fd, &password);

	if (error == KS_OK)
		error = lock_try_typed(agent->lock, BYTES(password.data, password.len), on_tried,
			agent, &agent->unlock_waits.attempt);
	secret_deinit(&password);
	switch (error) {
	case KS_OK:
		return NULL;
	case KS_BUSY:
		return "the agent is locked, and too many passwords wait to be tried";
	case KS_NO_MEMORY:
		return "out of memory";
	default:
		return "the agent is locked, and what was typed is no password";
	}
}

static const char *why_not(enum prompt_status status)
{
	switch (status) {
	case PROMPT_NO:
		return "the agent is locked, and the person did not unlock it";
	case PROMPT_NOBODY:
		return "the agent is locked, and nobody could be asked to unlock it";
	default:
		return "the agent is locked, and the question for its password failed";
	}
}

void unlock_answered(struct agent *agent, enum prompt_status status, int fd)
{
	struct unlock_waits *waits = &agent->unlock_waits;
	AUTO(fd) password = fd;
	const char *refusal;

	waits->shown = NULL;
	mark_all_asked(waits);
	refusal = status == PROMPT_YES ? try_typed(agent, password) : why_not(status);
	if (refusal != NULL)
		refuse_asked(agent, refusal);
}

/* ---- From outside ---- */

enum ks_error unlock_await(struct agent *agent, const struct unlock_events *events, void *owner,
	struct unlock_wait **out)
{
	struct unlock_waits *waits = &agent->unlock_waits;
	struct unlock_wait *wait = calloc(1, sizeof(*wait));
	struct unlock_wait **at = &waits->first;
	enum ks_error error = KS_OK;

	*out = NULL;
	if (wait == NULL)
		return KS_NO_MEMORY;
	*wait = (struct unlock_wait){.agent = agent, .events = events, .owner = owner};
	if (waits->shown == NULL && waits->attempt == NULL)
		error = ask_for(wait);
	if (error != KS_OK) {
		free(wait);
		return error;
	}
	while (*at != NULL)
		at = &(*at)->next;
	*at = wait;
	*out = wait;
	return KS_OK;
}

void unlock_wait_abandon(struct unlock_wait *wait)
{
	struct agent *agent = wait->agent;
	struct unlock_waits *waits = &agent->unlock_waits;

	take_out(wait);
	if (first_asked(waits) == NULL)
		forget_attempt(waits);
	ask_again(agent);
}

void unlock_waits_over(struct agent *agent)
{
	struct unlock_waits *waits = &agent->unlock_waits;

	forget_attempt(waits);
	while (waits->first != NULL)
		end(waits->first, UNLOCK_ELSEWHERE, NULL);
}

void unlock_waits_configured(struct agent *agent)
{
	if (agent->config.locked_keys_listed)
		return;
	forget_attempt(&agent->unlock_waits);
	mark_all_asked(&agent->unlock_waits);
	refuse_asked(agent, "the agent is locked, and the configuration hides its keys now");
}
