/*
 * See configured.h: which sections there are, and what becomes of them when the configuration is
 * read anew, the person removes their provider, or it is lost.
 */
#include "configured.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "agent.h"
#include "certificates.h"
#include "configured_entry.h"
#include "foreign_text.h"
#include "provider.h"

/* ---- Their end ---- */

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
			(void)configured_let_go(entry);
}

void configured_removed_all(struct agent *agent)
{
	for (struct configured *entry = agent->configured_providers; entry != NULL;
		entry = entry->next)
		(void)configured_let_go(entry);
}

void configured_lost(const struct provider *provider)
{
	for (struct configured *entry = provider->agent->configured_providers; entry != NULL;
		entry = entry->next) {
		if (entry->provider != provider)
			continue;
		(void)configured_let_go(entry);
		configured_fail(entry,
			provider->last_error[0] != '\0' ? provider->last_error : "it was lost");
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct configured *entry = handle->data;

	free(entry->name);
	free(entry->load);
	offer_rule_deinit(&entry->offers);
	config_list_free(&entry->certificates);
	free(entry);
}

/* Takes it off the list. */
static struct provider *forget(struct configured *entry)
{
	struct configured **at = &entry->agent->configured_providers;
	struct provider *provider = configured_let_go(entry);

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

	if (provider == NULL || provider->asked_for || configured_wants(agent, provider))
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

struct configured *configured_new(struct agent *agent, const char *name, const char *load)
{
	struct configured **end = &agent->configured_providers;
	struct configured *entry = calloc(1, sizeof(*entry));
	char *copy = strdup(load);

	if (entry == NULL || copy == NULL || !rename_to(entry, name)) {
		free(copy);
		free(entry);
		return NULL;
	}
	entry->agent = agent;
	entry->load = copy;
	uv_timer_init(&agent->loop, &entry->retry);
	entry->retry.data = entry;
	while (*end != NULL)
		end = &(*end)->next;
	*end = entry;
	return entry;
}

static void add(struct agent *agent, const struct config_provider *section)
{
	struct configured *entry = configured_new(agent, section->name, section->load);

	if (entry == NULL) {
		log_error("no memory for provider %s of the configuration", section->name);
		return;
	}
	configured_take(entry, section);
	configured_begin(entry);
}

/* What was removed, and single keys of it, is wanted again; what failed may be mended now. */
void configured_renew(struct configured *entry)
{
	entry->gone = false;
	if (entry->state == CONFIGURED_LOADED && entry->provider != NULL) {
		keyring_unhide(&entry->agent->keyring, entry->provider);
		if (entry->operation == NULL)
			configured_list(entry);
		return;
	}
	if (entry->state == CONFIGURED_LOADING || entry->state == CONFIGURED_LISTING)
		return;
	uv_timer_stop(&entry->retry);
	entry->failures = 0;
	entry->trouble[0] = '\0';
	configured_begin(entry);
}

/* Its modules stay until it is known which they are now. */
static void renew(struct configured *entry, const struct config_provider *section)
{
	configured_take(entry, section);
	if (!rename_to(entry, section->name))
		log_error("no memory for the name of a provider");
	for (struct configured *module = entry->agent->configured_providers; module != NULL;
		module = module->next)
		module->gone = module->gone && module->parent != entry;
	configured_renew(entry);
}

static struct configured *find_gone(const struct agent *agent, const char *load)
{
	struct configured *entry = agent->configured_providers;

	while (entry != NULL &&
		(!entry->gone || entry->parent != NULL || strcmp(entry->load, load) != 0))
		entry = entry->next;
	return entry;
}

void configured_mark_of(struct agent *agent, const struct configured *section)
{
	for (struct configured *entry = agent->configured_providers; entry != NULL;
		entry = entry->next)
		entry->gone = section == NULL || entry->parent == section;
}

void configured_sweep(struct agent *agent)
{
	struct configured *next;

	for (struct configured *entry = agent->configured_providers; entry != NULL; entry = next) {
		next = entry->next;
		if (entry->gone)
			retire(entry);
	}
}

void configured_follow(struct agent *agent)
{
	configured_mark_of(agent, NULL);
	for (size_t i = 0; i < agent->config.provider_count; i++) {
		const struct config_provider *section = &agent->config.providers[i];
		struct configured *entry = find_gone(agent, section->load);

		if (entry != NULL)
			renew(entry, section);
		else
			add(agent, section);
	}
	configured_sweep(agent);
	configured_tell_all(agent);
	certificates_follow(agent->certificates);
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
	bool loaded = entry->state == CONFIGURED_LOADED && entry->provider != NULL;
	const struct configured *section = entry->parent != NULL ? entry->parent : entry;
	const char *trouble = configured_brings_nothing(entry)
				      ? "no module that was found for it offers a key that can be "
					"used; is its token there?"
				      : entry->trouble;

	return json_pack("{s:s,s:o,s:s,s:b,s:o,s:o}", "name", entry->name, "load",
		foreign_text(load), "state", states[entry->state], "confirm", section->confirm,
		"provider", foreign_text(loaded ? entry->provider->name : ""), "trouble",
		foreign_text(trouble));
}

json_t *configured_json(const struct agent *agent)
{
	json_t *list_of_all = json_array();

	for (const struct configured *entry = agent->configured_providers; entry != NULL;
		entry = entry->next)
		json_array_append_new(list_of_all, entry_json(entry));
	return list_of_all;
}
