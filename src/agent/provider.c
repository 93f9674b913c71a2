/*
 * Providers: their making, back-off and end. The steps from a name to an open module are in
 * provider_load.c, who waits for one in provider_wait.c, its tokens in provider_token.c.
 */
#include "provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/backends.h>
#include <keystile/log.h>

#include "agent.h"
#include "configured.h"
#include "expiry.h"

#define BACK_OFF_MAX_MS 60000
/* A worker that lived that long starts again with a clean sheet. */
#define LONG_LIFE_MS (5 * 60 * 1000)

/* A PKCS#11 URI of which the rest does not say whose module has such tokens. */
static bool leaves_module_open(const char *given)
{
	return strncmp(given, "pkcs11:", strlen("pkcs11:")) == 0 &&
	       strstr(given, "module-path=") == NULL && strstr(given, "module-name=") == NULL;
}

const struct ks_needs *provider_backend(const char *given)
{
	const struct ks_needs *paths = NULL;
	bool open = leaves_module_open(given);

	for (size_t i = 0; ks_backends[i] != NULL; i++) {
		const char *scheme = ks_backends[i]->scheme;

		if (open && ks_backends[i]->finds_providers)
			return ks_backends[i];
		if (scheme == NULL)
			paths = ks_backends[i];
		else if (strncmp(given, scheme, strlen(scheme)) == 0 &&
			 given[strlen(scheme)] == ':')
			return ks_backends[i];
	}
	return paths;
}

bool provider_loadable(const char *given)
{
	const struct ks_needs *needs = provider_backend(given);

	return needs != NULL && (!needs->takes_keys || needs->tokens_hold_keys);
}

struct bytes provider_shown(const char *given)
{
	bool uri = strncmp(given, "pkcs11:", strlen("pkcs11:")) == 0;

	return BYTES((const uint8_t *)given, uri ? strcspn(given, "?") : strlen(given));
}

struct provider *provider_by_name(struct agent *agent, const char *canonical)
{
	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		if (provider->name != NULL && provider->state != PROVIDER_CLOSED &&
			strcmp(provider->name, canonical) == 0)
			return provider;
	return NULL;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct provider *provider = handle->data;

	free(provider->given);
	free(provider->name);
	constraints_release(&provider->destinations);
	constraints_release(&provider->certificates);
	free(provider);
}

static void unlink_provider(struct provider *provider)
{
	struct provider **at = &provider->agent->providers;

	while (*at != NULL && *at != provider)
		at = &(*at)->next;
	if (*at != NULL)
		*at = provider->next;
}

void provider_close(struct provider *provider)
{
	if (provider->state == PROVIDER_CLOSED)
		return;
	provider->state = PROVIDER_CLOSED;
	unlink_provider(provider);
	configured_lost(provider);
	if (provider->worker != NULL)
		worker_end(provider->worker);
	provider->worker = NULL;
	provider_drop_tokens(provider);
	uv_close((uv_handle_t *)&provider->retry, on_timer_closed);
	key_changes_drop(provider);
	provider_answer(provider, NULL, KS_NO_TOKEN, "the provider was removed");
}

void provider_unload(struct provider *provider)
{
	if (!provider->needs->takes_keys || !provider_has_added(provider)) {
		provider_close(provider);
		return;
	}
	provider_drop_keys(provider, false);
	provider->named = provider->confirm = provider->asked_for = false;
	provider->expires_ms = 0;
	constraints_release(&provider->destinations);
	constraints_release(&provider->certificates);
	provider_tell_named(provider);
}

void provider_located(struct provider *provider, struct provider *existing)
{
	enum ks_error error = existing != NULL ? KS_OK : KS_NO_TOKEN;

	provider_answer(provider, existing, error, "it is not loaded");
	provider_close(provider);
}

void provider_ready(struct provider *provider)
{
	provider->state = PROVIDER_READY;
	provider->ready_ms = uv_now(&provider->agent->loop);
	/* Held meanwhile: who hears of it first may already fail, and who wanted it may have gone.
	 */
	provider_hold(provider);
	provider_answer(provider, provider, KS_OK, NULL);
	provider_let_go(provider);
}

static void on_retry(uv_timer_t *timer)
{
	struct provider *provider = timer->data;

	provider->restarts++;
	if (provider_load(provider) != KS_OK)
		provider_failed(provider, KS_DEVICE_FAILED, "its worker can't be started");
}

/* The first start again is at once; then 1, 2, 4 ... seconds. */
static void schedule_restart(struct provider *provider)
{
	unsigned doublings = provider->failures < 2 ? 0 : provider->failures - 2;
	uint64_t delay_ms = provider->failures == 0 ? 0 : 1000;

	if (doublings > 6)
		doublings = 6;
	delay_ms <<= doublings;
	if (delay_ms > BACK_OFF_MAX_MS)
		delay_ms = BACK_OFF_MAX_MS;
	provider->failures++;
	provider->state = PROVIDER_WAITING;
	provider->retry_ms = uv_now(&provider->agent->loop) + delay_ms;
	uv_timer_start(&provider->retry, on_retry, delay_ms, 0);
}

void provider_failed(struct provider *provider, enum ks_error error, const char *words)
{
	struct worker *worker = provider->worker;

	snprintf(provider->last_error, sizeof(provider->last_error), "%s", words);
	provider->worker = NULL;
	if (worker != NULL)
		worker_end(worker);
	if (!provider->established) {
		provider_answer(provider, NULL, error, words);
		provider_close(provider);
		return;
	}
	schedule_restart(provider);
	provider_answer(provider, NULL, error, provider->last_error);
}

/* False: there was nothing else, and the provider is closed. */
static bool lose_added(struct provider *provider, const char *why)
{
	if (!provider->named || provider_has_added(provider))
		log_error("the keys that were added are lost (%s): add them again", why);
	if (!provider->named) {
		provider_close(provider);
		return false;
	}
	key_changes_drop(provider);
	provider_drop_keys(provider, true);
	return true;
}

static void on_ended(struct worker *worker, const char *why)
{
	struct provider *provider = worker->owner;

	provider->worker = NULL;
	snprintf(provider->last_error, sizeof(provider->last_error), "%s", why);
	/* While it loads, the operation of the present step is about to hear of it. */
	if (provider->state != PROVIDER_READY)
		return;
	if (provider->needs->takes_keys && !lose_added(provider, why))
		return;
	for (struct token *token = provider->tokens; token != NULL; token = token->next)
		token->flags &= (uint32_t)~KS_TOKEN_LOGGED_IN;
	if (uv_now(&provider->agent->loop) - provider->ready_ms > LONG_LIFE_MS)
		provider->failures = 0;
	if (provider->established)
		schedule_restart(provider);
	else
		provider->state = PROVIDER_WAITING;
}

const struct worker_events provider_worker_events = {
	.token = provider_token_is,
	.token_gone = provider_token_gone,
	.card = provider_card_is,
	.ended = on_ended,
};

/* What a pattern finds is settled when a worker is confined: a file that is new needs another. */
static bool reads_what_was_there(const struct ks_needs *needs)
{
	for (size_t i = 0; needs->read_paths[i] != NULL; i++)
		if (strchr(needs->read_paths[i], '*') != NULL)
			return true;
	return false;
}

/* Not in the middle of something. Its tokens wait to be known again. */
static void start_anew(struct provider *existing)
{
	if (existing->worker->running > 0 || existing->worker->waiting > 0)
		return;
	worker_end(existing->worker);
	existing->worker = NULL;
	existing->state = PROVIDER_WAITING;
}

void provider_hand_over(struct provider *provider, struct provider *existing)
{
	struct provider_wait **end = &existing->waits;

	for (struct provider_wait *wait = provider->waits; wait != NULL; wait = wait->next)
		wait->provider = existing;
	while (*end != NULL)
		end = &(*end)->next;
	*end = provider->waits;
	provider->waits = NULL;
	provider_close(provider);
	if (existing->state == PROVIDER_READY && existing->established &&
		reads_what_was_there(existing->needs))
		start_anew(existing);
	if (existing->state == PROVIDER_READY)
		provider_ready(existing);
	else if (existing->state == PROVIDER_WAITING)
		uv_timer_start(&existing->retry, on_retry, 0, 0);
}

static unsigned provider_count(const struct agent *agent)
{
	unsigned count = 0;

	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		count++;
	return count;
}

static struct provider *provider_new(struct agent *agent, const char *given)
{
	const struct ks_needs *needs = provider_backend(given);
	struct provider *provider = NULL;

	if (needs == NULL || provider_count(agent) >= PROVIDERS_MAX)
		return NULL;
	provider = calloc(1, sizeof(*provider));
	if (provider == NULL)
		return NULL;
	*provider = (struct provider){.next = agent->providers, .agent = agent, .needs = needs};
	provider->given = strdup(given);
	if (provider->given == NULL) {
		free(provider);
		return NULL;
	}
	agent->providers = provider;
	uv_timer_init(&agent->loop, &provider->retry);
	provider->retry.data = provider;
	return provider;
}

struct provider_wait *provider_open(struct agent *agent, const char *given, bool locate_only,
	provider_opened *opened, void *owner)
{
	struct provider *provider = provider_new(agent, given);
	struct provider_wait *wait;

	if (provider == NULL)
		return NULL;
	provider->locate_only = locate_only;
	wait = provider_wait(provider, opened, owner);
	if (wait != NULL && provider_load(provider) == KS_OK)
		return wait;
	if (wait != NULL)
		provider_wait_abandon(wait);
	provider_close(provider);
	return NULL;
}

/* NULL becomes the new ones, where these say anything. */
static void replace(struct constraints **old, struct constraints *by)
{
	constraints_release(old);
	*old = constraints_reference(by);
}

enum ks_error provider_constrain(struct provider *provider, struct constraints *constraints)
{
	if (constraints->destination_count > 0) {
		if (provider->destinations != NULL &&
			!constraints_same_destinations(provider->destinations, constraints))
			return KS_NOT_ALLOWED;
		replace(&provider->destinations, constraints);
	}
	/* Certificates are renewed: the newest ones count. */
	if (constraints->certificate_count > 0 || constraints->certificates_only)
		replace(&provider->certificates, constraints);
	provider->confirm = provider->confirm || constraints->confirm;
	return KS_OK;
}

void provider_limit_lifetime(struct provider *provider, const struct constraints *constraints)
{
	long default_s = provider->agent->settings.lifetime_s;

	if (constraints->has_lifetime)
		provider_expire_in(provider, constraints->lifetime_s);
	else if (default_s > 0)
		provider_expire_in(provider, (uint32_t)default_s);
}

void provider_expire_in(struct provider *provider, uint32_t seconds)
{
	uint64_t when_ms = expiry_after(seconds);

	if (provider->expires_ms != 0 && provider->expires_ms < when_ms)
		return;
	provider->expires_ms = when_ms;
	expiry_at(provider->agent, when_ms);
}
