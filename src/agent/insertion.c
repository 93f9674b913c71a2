/*
 * See insertion.h. Most workers tell of tokens that come. Those of modules without events find
 * them when they list, so they are asked to as long as somebody waits.
 */
#include "insertion.h"

#include <stdlib.h>

#include "agent.h"
#include "provider.h"

#define LIST_EVERY_MS 1000

struct insertion_wait {
	struct insertion_wait *next;
	struct agent *agent;
	const struct key *key;
	insertion_ended *ended;
	void *owner;
	uv_timer_t timer;
};

/* What it found was told on the way. */
static void on_listed(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	(void)operation;
	(void)error;
	(void)words;
	(void)result;
}

static const struct operation_events list_events = {.done = on_listed};

static bool lists_already(const struct worker *worker)
{
	const struct operation *operation = worker->operations;

	while (operation != NULL && operation->type != FRAME_LIST)
		operation = operation->next;
	return operation != NULL;
}

static void on_tick(uv_timer_t *timer)
{
	const struct insertion_wait *wait = timer->data;
	const struct key_source *source = key_source(wait->key);
	const struct provider *provider = source == NULL ? NULL : source->token->provider;
	struct frame frame = {.type = FRAME_LIST};
	struct operation *operation;
	const struct operation_wish wish = {.frame = &frame, .fd = -1, .events = &list_events};

	if (provider == NULL || provider->needs->takes_keys || provider->state != PROVIDER_READY ||
		lists_already(provider->worker))
		return;
	/* Where it has too much to do, the next tick comes. */
	if (worker_operate(provider->worker, &wish, &operation) != KS_OK)
		return;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct insertion_wait *insertion_await(
	struct agent *agent, const struct key *key, insertion_ended *ended, void *owner)
{
	struct insertion_wait *wait = calloc(1, sizeof(*wait));
	struct insertion_wait **end = &agent->insertion_waits;

	if (wait == NULL)
		return NULL;
	*wait = (struct insertion_wait){.agent = agent, .key = key, .ended = ended, .owner = owner};
	uv_timer_init(&agent->loop, &wait->timer);
	wait->timer.data = wait;
	uv_timer_start(&wait->timer, on_tick, LIST_EVERY_MS, LIST_EVERY_MS);
	while (*end != NULL)
		end = &(*end)->next;
	*end = wait;
	return wait;
}

void insertion_abandon(struct insertion_wait *wait)
{
	struct insertion_wait **at = &wait->agent->insertion_waits;

	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	uv_close((uv_handle_t *)&wait->timer, on_closed);
}

static bool is_over(const struct insertion_wait *wait)
{
	const struct key_source *source = key_source(wait->key);

	return source == NULL || !source->token->absent;
}

/* Who is told may end others, so each time the first one is looked for. */
static struct insertion_wait *first_over(const struct agent *agent)
{
	struct insertion_wait *wait = agent->insertion_waits;

	while (wait != NULL && !is_over(wait))
		wait = wait->next;
	return wait;
}

void insertion_look(struct agent *agent)
{
	struct insertion_wait *wait;

	while ((wait = first_over(agent)) != NULL) {
		insertion_ended *ended = wait->ended;
		void *owner = wait->owner;
		bool there = key_source(wait->key) != NULL;

		insertion_abandon(wait);
		ended(owner, there);
	}
}
