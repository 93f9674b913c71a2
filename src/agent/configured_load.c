/*
 * The way of one section of the configuration from LOADING to LOADED, see configured.h. It has what
 * a client of ssh-add -s has while it loads: a place among those that wait for the provider, and
 * then an operation that lists it, without a PIN.
 */
#include "configured_entry.h"

#include <stdio.h>
#include <string.h>

#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "offer.h"
#include "provider.h"
#include "provider_find.h"

#define BACK_OFF_FIRST_MS 1000
#define BACK_OFF_MAX_MS 60000
#define DOUBLINGS_MAX 6

/* ---- Trying again ---- */

static void on_retry(uv_timer_t *timer)
{
	struct configured *entry = timer->data;

	if (entry->state == CONFIGURED_FAILED)
		configured_begin(entry);
	else if (entry->state == CONFIGURED_LOADED)
		configured_list(entry);
}

/* After 1, 2, 4 ... seconds. */
static void try_later(struct configured *entry)
{
	unsigned doublings = entry->failures < DOUBLINGS_MAX ? entry->failures : DOUBLINGS_MAX;
	uint64_t delay_ms = (uint64_t)BACK_OFF_FIRST_MS << doublings;

	if (delay_ms > BACK_OFF_MAX_MS)
		delay_ms = BACK_OFF_MAX_MS;
	entry->failures++;
	entry->retry_ms = uv_now(&entry->agent->loop) + delay_ms;
	uv_timer_start(&entry->retry, on_retry, delay_ms, 0);
}

/* Said once, however often it is tried. */
static void note_trouble(struct configured *entry, const char *words)
{
	if (strcmp(entry->trouble, words) == 0)
		return;
	snprintf(entry->trouble, sizeof(entry->trouble), "%s", words);
	log_warning("provider %s of the configuration: %s", entry->name, entry->trouble);
}

void configured_fail(struct configured *entry, const char *words)
{
	struct provider *held = entry->provider;

	entry->provider = NULL;
	entry->state = CONFIGURED_FAILED;
	note_trouble(entry, words);
	try_later(entry);
	if (held != NULL)
		provider_let_go(held);
}

/* ---- Loading ---- */

/* why: as its worker knows; empty where it does not. */
static void note_no_key(struct configured *entry, struct bytes why)
{
	char quoted[TEXT_WORDS_MAX];
	char text[512];

	if (offer_withheld(entry->provider) > 0)
		snprintf(text, sizeof(text),
			"its section keeps back all keys of its token; keystile keys --all shows "
			"them");
	else
		snprintf(text, sizeof(text), "it offers no key that can be used%s%s",
			why.len > 0 ? ": " : "; is its token there?",
			why.len > 0 ? text_quote_words(why, quoted) : "");
	note_trouble(entry, text);
}

static void settle(struct configured *entry, struct bytes why)
{
	struct provider *provider = entry->provider;

	if (entry->state == CONFIGURED_LISTING) {
		entry->state = CONFIGURED_LOADED;
		provider->established = true;
		provider_let_go(provider);
		log_info("provider %s of the configuration is loaded", entry->name);
	}
	if (keyring_count(&entry->agent->keyring, provider) > 0) {
		entry->failures = 0;
		entry->trouble[0] = '\0';
		return;
	}
	/* Its token may come, and not everything tells of that. Of several modules one will do. */
	if (entry->parent != NULL)
		entry->trouble[0] = '\0';
	else
		note_no_key(entry, why);
	try_later(entry);
}

static void on_listed(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct configured *entry = operation->owner;
	char quoted[TEXT_WORDS_MAX];
	char text[512];

	(void)result;
	entry->operation = NULL;
	if (entry->provider == NULL)
		return;
	if (error == KS_OK) {
		settle(entry, words);
		return;
	}
	snprintf(text, sizeof(text), "%s%s%s", ks_error_text(error), words.len > 0 ? ": " : "",
		words.len > 0 ? text_quote_words(words, quoted) : "");
	if (entry->state == CONFIGURED_LISTING) {
		configured_fail(entry, text);
		return;
	}
	note_trouble(entry, text);
	try_later(entry);
}

static const struct operation_events list_events = {.done = on_listed};

/* Tokens that came meanwhile have told of themselves; and one that starts again lists by itself. */
static bool needs_list(const struct configured *entry)
{
	return entry->provider->state == PROVIDER_READY &&
	       (entry->state == CONFIGURED_LISTING ||
		       keyring_count(&entry->agent->keyring, entry->provider) == 0);
}

void configured_list(struct configured *entry)
{
	struct frame frame = provider_list_frame(entry->provider);
	const struct operation_wish wish = {
		.frame = &frame, .fd = -1, .events = &list_events, .owner = entry};

	uv_timer_stop(&entry->retry);
	if (!needs_list(entry))
		settle(entry, BYTES(NULL, 0));
	else if (worker_operate(entry->provider->worker, &wish, &entry->operation) == KS_OK)
		return;
	else if (entry->state == CONFIGURED_LISTING)
		configured_fail(entry, "too many requests wait for it");
	else
		try_later(entry);
}

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct configured *entry = owner;

	entry->wait = NULL;
	if (error != KS_OK) {
		configured_fail(entry, words);
		return;
	}
	provider_hold(provider);
	entry->provider = provider;
	entry->state = CONFIGURED_LISTING;
	/* Before its keys are known. */
	configured_tell(provider);
	(void)provider_name_it(provider);
	configured_list(entry);
}

void configured_begin(struct configured *entry)
{
	entry->state = CONFIGURED_LOADING;
	if (!provider_loadable(entry->load)) {
		configured_fail(
			entry, "it keeps what ssh-add adds, or this build has no backend for it");
		return;
	}
	if (provider_find_due(entry->load)) {
		configured_find(entry);
		return;
	}
	entry->wait = provider_open(entry->agent, entry->load, false, on_opened, entry);
	if (entry->wait == NULL)
		configured_fail(entry,
			"no worker could be started for it, or too many providers are loaded");
}

/* ---- Its end ---- */

struct provider *configured_let_go(struct configured *entry)
{
	struct provider *provider = entry->provider;
	struct provider_wait *wait = entry->wait;
	bool held = entry->state == CONFIGURED_LISTING;

	uv_timer_stop(&entry->retry);
	if (entry->operation != NULL)
		operation_abandon(entry->operation);
	if (entry->find != NULL)
		provider_find_abandon(entry->find);
	entry->find = NULL;
	entry->operation = NULL;
	entry->provider = NULL;
	entry->wait = NULL;
	entry->state = CONFIGURED_REMOVED;
	if (wait != NULL)
		provider_wait_abandon(wait);
	if (provider == NULL || !held)
		return provider;
	provider_let_go(provider);
	return NULL;
}
