/*
 * Who waits for a provider, or holds it while keys are loaded, and the end of one that nobody
 * wants.
 */
#include <stdlib.h>

#include "agent.h"
#include "provider.h"

/* Our own worker for added keys outlives an add that fails: another one may follow at once. */
#define UNUSED_MS 10000

void provider_answer(
	struct provider *provider, struct provider *result, enum ks_error error, const char *words)
{
	struct provider_wait *wait = provider->waits;

	provider->waits = NULL;
	for (struct provider_wait *each = wait; each != NULL; each = each->next)
		each->provider = NULL;
	while (wait != NULL) {
		struct provider_wait *next = wait->next;

		if (wait->opened != NULL)
			wait->opened(wait->owner, result, error, words);
		free(wait);
		wait = next;
	}
}

void provider_hold(struct provider *provider)
{
	provider->held++;
}

static bool is_wanted(const struct provider *provider)
{
	const struct provider_wait *wait = provider->waits;

	while (wait != NULL && wait->opened == NULL)
		wait = wait->next;
	return wait != NULL || provider->held > 0 || provider->established;
}

static void on_unused(uv_timer_t *timer)
{
	struct provider *provider = timer->data;

	if (!is_wanted(provider))
		provider_close(provider);
}

/* Closes it unless somebody wants it; one that costs nothing but its process stays for a while. */
static void close_unwanted(struct provider *provider)
{
	bool ours = provider->needs->takes_keys && !provider->needs->loads_path;

	if (is_wanted(provider) || provider->state == PROVIDER_CLOSED)
		return;
	if (!ours || provider->worker == NULL)
		provider_close(provider);
	else if (provider->state == PROVIDER_READY)
		uv_timer_start(&provider->retry, on_unused, UNUSED_MS, 0);
}

void provider_let_go(struct provider *provider)
{
	provider->held--;
	close_unwanted(provider);
}

struct provider_wait *provider_wait(struct provider *provider, provider_opened *opened, void *owner)
{
	struct provider_wait *wait = calloc(1, sizeof(*wait));
	struct provider_wait **end = &provider->waits;

	if (wait == NULL)
		return NULL;
	*wait = (struct provider_wait){.provider = provider, .opened = opened, .owner = owner};
	while (*end != NULL)
		end = &(*end)->next;
	*end = wait;
	return wait;
}

void provider_wait_abandon(struct provider_wait *wait)
{
	struct provider *provider = wait->provider;

	wait->opened = NULL;
	if (provider != NULL)
		close_unwanted(provider);
}
