/*
 * See configured.h. A section has what a client of ssh-add -s has while it loads: a place among
 * those that wait for the provider, and then an operation that lists it, without a PIN.
 */
#include "configured.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "foreign_text.h"
#include "listed.h"
#include "provider.h"

#define BACK_OFF_FIRST_MS 1000
#define BACK_OFF_MAX_MS 60000
#define DOUBLINGS_MAX 6

enum configured_state {
	CONFIGURED_LOADING,
	CONFIGURED_LISTING,
	CONFIGURED_LOADED,
	CONFIGURED_FAILED,
	CONFIGURED_REMOVED,
};

struct configured {
	struct configured *next;
	struct agent *agent;
	char *name;
	char *load;
	bool confirm;
	bool lists_absent;
	char **keys;	 /* patterns; NULL: all */
	bool other_keys; /* than when it was listed last */
	bool gone;	 /* while the configuration is followed: not found there yet */
	enum configured_state state;
	struct provider_wait *wait; /* while LOADING */
	struct provider *provider;  /* while LISTING, then held, and LOADED */
	struct operation *operation;
	uv_timer_t retry;
	uint64_t retry_ms;
	unsigned failures; /* in a row */
	char trouble[512];
};

static void begin(struct configured *entry);
static void list(struct configured *entry);

/* ---- Trying again ---- */

static void on_retry(uv_timer_t *timer)
{
	struct configured *entry = timer->data;

	if (entry->state == CONFIGURED_FAILED)
		begin(entry);
	else if (entry->state == CONFIGURED_LOADED)
		list(entry);
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

static void fail(struct configured *entry, const char *words)
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

static bool is_configured(const struct agent *agent, const struct provider *provider)
{
	const struct configured *entry = agent->configured_providers;

	while (entry != NULL && entry->provider != provider)
		entry = entry->next;
	return entry != NULL;
}

bool configured_offers(const struct provider *provider, const struct ks_key *key)
{
	bool labelled = key->label != NULL && key->label[0] != '\0';

	for (const struct configured *entry = provider->agent->configured_providers; entry != NULL;
		entry = entry->next)
		if (entry->provider == provider &&
			(entry->keys == NULL || listed_matches(entry->keys, key->blob, key->blob,
							labelled ? key->label : provider->name)))
			return true;
	return false;
}

/* What all its sections together say of a provider. */
static void tell_options(struct provider *provider)
{
	provider->confirm_configured = false;
	provider->lists_absent = false;
	provider->keys_ruled = is_configured(provider->agent, provider);
	for (const struct configured *entry = provider->agent->configured_providers; entry != NULL;
		entry = entry->next) {
		if (entry->provider != provider)
			continue;
		provider->confirm_configured |= entry->confirm;
		provider->lists_absent |= entry->lists_absent;
		provider->keys_ruled = provider->keys_ruled && entry->keys != NULL;
	}
	if (!provider->lists_absent)
		provider_drop_absent(provider);
}

static void tell_all_options(struct agent *agent)
{
	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		tell_options(provider);
}

static void settle(struct configured *entry)
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
	/* Its token may come, and not everything tells of that. */
	note_trouble(entry, "it offers no key that can be used; is its token there?");
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
		settle(entry);
		if (entry->other_keys)
			list(entry);
		return;
	}
	snprintf(text, sizeof(text), "%s%s%s", ks_error_text(error), words.len > 0 ? ": " : "",
		words.len > 0 ? text_quote_words(words, quoted) : "");
	if (entry->state == CONFIGURED_LISTING) {
		fail(entry, text);
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
	       (entry->state == CONFIGURED_LISTING || entry->other_keys ||
		       keyring_count(&entry->agent->keyring, entry->provider) == 0);
}

static void list(struct configured *entry)
{
	struct frame frame = provider_list_frame(entry->provider);
	const struct operation_wish wish = {
		.frame = &frame, .fd = -1, .events = &list_events, .owner = entry};

	uv_timer_stop(&entry->retry);
	if (!needs_list(entry))
		settle(entry);
	else if (worker_operate(entry->provider->worker, &wish, &entry->operation) == KS_OK)
		entry->other_keys = false;
	else if (entry->state == CONFIGURED_LISTING)
		fail(entry, "too many requests wait for it");
	else
		try_later(entry);
}

static void on_opened(
	void *owner, struct provider *provider, enum ks_error error, const char *words)
{
	struct configured *entry = owner;

	entry->wait = NULL;
	if (error != KS_OK) {
		fail(entry, words);
		return;
	}
	provider_hold(provider);
	entry->provider = provider;
	entry->state = CONFIGURED_LISTING;
	/* Before its keys are known. */
	tell_options(provider);
	(void)provider_name_it(provider);
	list(entry);
}

static void begin(struct configured *entry)
{
	entry->state = CONFIGURED_LOADING;
	if (!provider_loadable(entry->load)) {
		fail(entry, "it keeps what ssh-add adds, or this build has no backend for it");
		return;
	}
	entry->wait = provider_open(entry->agent, entry->load, false, on_opened, entry);
	if (entry->wait == NULL)
		fail(entry, "no worker could be started for it, or too many providers are loaded");
}

/* ---- Its end ---- */

/* Nothing of it is in work after that. The provider that it had, or NULL. */
static struct provider *let_go(struct configured *entry)
{
	struct provider *provider = entry->provider;
	struct provider_wait *wait = entry->wait;
	bool held = entry->state == CONFIGURED_LISTING;

	uv_timer_stop(&entry->retry);
	if (entry->operation != NULL)
		operation_abandon(entry->operation);
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

static bool is_about(
	const struct configured *entry, const struct provider *provider, const char *given)
{
	if (provider == NULL)
		return entry->provider == NULL && given != NULL && strcmp(entry->load, given) == 0;
	return entry->provider == provider ||
	       (entry->wait != NULL && entry->wait->provider == provider);
}

void configured_removed(struct agent *agent, const struct provider *provider, const char *given)
{
	for (struct configured *entry = agent->configured_providers; entry != NULL;
		entry = entry->next)
		if (is_about(entry, provider, given))
			(void)let_go(entry);
}

void configured_removed_all(struct agent *agent)
{
	for (struct configured *entry = agent->configured_providers; entry != NULL;
		entry = entry->next)
		(void)let_go(entry);
}

void configured_lost(const struct provider *provider)
{
	for (struct configured *entry = provider->agent->configured_providers; entry != NULL;
		entry = entry->next) {
		if (entry->provider != provider)
			continue;
		(void)let_go(entry);
		fail(entry, provider->last_error[0] != '\0' ? provider->last_error : "it was lost");
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct configured *entry = handle->data;

	free(entry->name);
	free(entry->load);
	config_list_free(&entry->keys);
	free(entry);
}

/* Takes it off the list. */
static struct provider *forget(struct configured *entry)
{
	struct configured **at = &entry->agent->configured_providers;
	struct provider *provider = let_go(entry);

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	uv_close((uv_handle_t *)&entry->retry, on_closed);
	return provider;
}

void configured_close(struct agent *agent)
{
	while (agent->configured_providers != NULL)
		(void)forget(agent->configured_providers);
}

/* ---- What the configuration says ---- */

/* Its section is gone. Who loads the provider just now keeps it, if that goes well. */
static void retire(struct configured *entry)
{
	struct agent *agent = entry->agent;
	struct provider *provider = forget(entry);

	if (provider == NULL || provider->asked_for || is_configured(agent, provider))
		return;
	if (provider->needs->takes_keys) {
		provider_unload(provider);
		return;
	}
	provider->established = false;
	provider_hold(provider);
	provider_let_go(provider);
}

static bool rename_to(struct configured *entry, const char *name)
{
	char *copy = strdup(name);

	if (copy == NULL)
		return false;
	free(entry->name);
	entry->name = copy;
	return true;
}

static bool same_list(char *const *one, char *const *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	while (*one != NULL && *other != NULL && strcmp(*one, *other) == 0) {
		one++;
		other++;
	}
	return *one == *other;
}

static void take_options(struct configured *entry, const struct config_provider *section)
{
	entry->confirm = section->confirm;
	entry->lists_absent = section->lists_absent;
	if (same_list(entry->keys, section->keys))
		return;
	entry->other_keys = true;
	config_list_free(&entry->keys);
	if (section->keys != NULL)
		entry->keys = config_list_copy((const char *const *)section->keys);
	if (entry->keys == NULL && section->keys != NULL)
		log_error("no memory for which keys of provider %s are offered", section->name);
}

static void add(struct agent *agent, const struct config_provider *section)
{
	struct configured **end = &agent->configured_providers;
	struct configured *entry = calloc(1, sizeof(*entry));
	char *load = strdup(section->load);

	if (entry == NULL || load == NULL || !rename_to(entry, section->name)) {
		log_error("no memory for provider %s of the configuration", section->name);
		free(load);
		free(entry);
		return;
	}
	entry->agent = agent;
	entry->load = load;
	take_options(entry, section);
	uv_timer_init(&agent->loop, &entry->retry);
	entry->retry.data = entry;
	while (*end != NULL)
		end = &(*end)->next;
	*end = entry;
	begin(entry);
}

/* What was removed, and single keys of it, is wanted again; what failed may be mended now. */
static void renew(struct configured *entry, const struct config_provider *section)
{
	entry->gone = false;
	take_options(entry, section);
	if (!rename_to(entry, section->name))
		log_error("no memory for the name of a provider");
	if (entry->state == CONFIGURED_LOADED) {
		keyring_unhide(&entry->agent->keyring, entry->provider);
		if (entry->operation == NULL)
			list(entry);
		return;
	}
	if (entry->state != CONFIGURED_FAILED && entry->state != CONFIGURED_REMOVED)
		return;
	uv_timer_stop(&entry->retry);
	entry->failures = 0;
	entry->trouble[0] = '\0';
	begin(entry);
}

static struct configured *find_gone(const struct agent *agent, const char *load)
{
	struct configured *entry = agent->configured_providers;

	while (entry != NULL && (!entry->gone || strcmp(entry->load, load) != 0))
		entry = entry->next;
	return entry;
}

void configured_follow(struct agent *agent)
{
	struct configured *next;

	for (struct configured *entry = agent->configured_providers; entry != NULL;
		entry = entry->next)
		entry->gone = true;
	for (size_t i = 0; i < agent->config.provider_count; i++) {
		const struct config_provider *section = &agent->config.providers[i];
		struct configured *entry = find_gone(agent, section->load);

		if (entry != NULL)
			renew(entry, section);
		else
			add(agent, section);
	}
	for (struct configured *entry = agent->configured_providers; entry != NULL; entry = next) {
		next = entry->next;
		if (entry->gone)
			retire(entry);
	}
	tell_all_options(agent);
}

/* ---- For the person ---- */

static json_t *entry_json(const struct configured *entry)
{
	static const char *const states[] = {
		[CONFIGURED_LOADING] = "loading",
		[CONFIGURED_LISTING] = "loading",
		[CONFIGURED_LOADED] = "loaded",
		[CONFIGURED_FAILED] = "failed, will be tried again",
		[CONFIGURED_REMOVED] = "removed until the configuration is read anew",
	};
	struct bytes shown = provider_shown(entry->load);
	AUTO(text) load = strndup((const char *)shown.data, shown.len);
	bool loaded = entry->state == CONFIGURED_LOADED;

	return json_pack("{s:s,s:o,s:s,s:b,s:o,s:o}", "name", entry->name, "load",
		foreign_text(load), "state", states[entry->state], "confirm", entry->confirm,
		"provider", foreign_text(loaded ? entry->provider->name : ""), "trouble",
		foreign_text(entry->trouble));
}

json_t *configured_json(const struct agent *agent)
{
	json_t *list_of_all = json_array();

	for (const struct configured *entry = agent->configured_providers; entry != NULL;
		entry = entry->next)
		json_array_append_new(list_of_all, entry_json(entry));
	return list_of_all;
}
