/*
 * What sections of the configuration say of the provider that they load, see configured_entry.h:
 * several may load the same one, and then all of them count.
 */
#include "configured_entry.h"

#include <string.h>

#include <keystile/log.h>

#include "agent.h"
#include "configured.h"
#include "listed.h"
#include "login_release.h"
#include "provider.h"

/* Whose options count for it. */
static const struct configured *section_of(const struct configured *entry)
{
	return entry->parent != NULL ? entry->parent : entry;
}

bool configured_wants(const struct agent *agent, const struct provider *provider)
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
		entry = entry->next) {
		char **keys = section_of(entry)->keys;

		if (entry->provider == provider &&
			(keys == NULL || listed_matches(keys, key->blob, key->blob,
						 labelled ? key->label : provider->name)))
			return true;
	}
	return false;
}

void configured_tell(struct provider *provider)
{
	provider->confirm_configured = false;
	provider->lists_absent = false;
	provider->release_said = false;
	provider->keys_ruled = configured_wants(provider->agent, provider);
	for (const struct configured *entry = provider->agent->configured_providers; entry != NULL;
		entry = entry->next) {
		if (entry->provider != provider)
			continue;
		const struct configured *section = section_of(entry);

		provider->confirm_configured |= section->confirm;
		provider->lists_absent |= section->lists_absent;
		if (section->release_said)
			login_release_say(provider, section->release_after_s);
		provider->keys_ruled = provider->keys_ruled && section->keys != NULL;
	}
	if (!provider->lists_absent)
		provider_drop_absent(provider);
	login_release_follow(provider);
}

void configured_tell_all(struct agent *agent)
{
	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		configured_tell(provider);
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

void configured_take(struct configured *entry, const struct config_provider *section)
{
	entry->confirm = section->confirm;
	entry->lists_absent = section->lists_absent;
	entry->release_said = section->release_said;
	entry->release_after_s = section->release_after_s;
	if (same_list(entry->keys, section->keys))
		return;
	entry->other_keys = true;
	for (struct configured *module = entry->agent->configured_providers; module != NULL;
		module = module->next)
		module->other_keys = module->other_keys || module->parent == entry;
	config_list_free(&entry->keys);
	if (section->keys != NULL)
		entry->keys = config_list_copy((const char *const *)section->keys);
	if (entry->keys == NULL && section->keys != NULL)
		log_error("no memory for which keys of provider %s are offered", section->name);
}
