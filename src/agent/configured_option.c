/*
 * What sections of the configuration say of the provider that they load, see configured_entry.h:
 * several may load the same one, and then all of them count.
 */
#include "configured_entry.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "configured.h"
#include "login_release.h"
#include "offer.h"
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

const char *configured_refusal(
	const struct provider *provider, const struct ks_key *key, const char **section)
{
	bool labelled = key->label != NULL && key->label[0] != '\0';
	const char *refusal = NULL;

	for (const struct configured *entry = provider->agent->configured_providers; entry != NULL;
		entry = entry->next) {
		if (entry->provider != provider)
			continue;
		refusal = offer_rule_refusal(
			&section_of(entry)->offers, key, labelled ? key->label : provider->name);
		if (refusal == NULL)
			return NULL;
		*section = section_of(entry)->name;
	}
	return refusal;
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
		provider->keys_ruled = provider->keys_ruled && offer_rule_speaks(&section->offers);
	}
	if (!provider->lists_absent)
		provider_drop_absent(provider);
	login_release_follow(provider);
	offer_provider(provider);
}

void configured_tell_all(struct agent *agent)
{
	for (struct provider *provider = agent->providers; provider != NULL;
		provider = provider->next)
		configured_tell(provider);
}

/* NULL counts as an empty list: out of memory, which is logged. */
static void take_certificates(struct configured *entry, const struct config_provider *section)
{
	config_list_free(&entry->certificates);
	entry->certificates = config_list_copy((const char *const *)section->certificates);
	if (entry->certificates == NULL)
		log_error("no memory for the certificates of provider %s", section->name);
}

char **configured_certificates(const struct agent *agent)
{
	size_t count = 0;
	char **list;

	for (size_t i = 0; i < agent->config.provider_count; i++)
		for (char **one = agent->config.providers[i].certificates; *one != NULL; one++)
			count++;
	list = calloc(count + 1, sizeof(*list));
	count = 0;
	for (size_t i = 0; list != NULL && i < agent->config.provider_count; i++)
		for (char **one = agent->config.providers[i].certificates; *one != NULL; one++) {
			list[count] = strdup(*one);
			if (list[count++] == NULL)
				config_list_free(&list);
			if (list == NULL)
				return NULL;
		}
	return list;
}

static bool wants(char *const *patterns, const char *path)
{
	for (; patterns != NULL && *patterns != NULL; patterns++) {
		const char *name = strrchr(*patterns, '/');
		const char *other = strrchr(path, '/');
		size_t len = (size_t)(name - *patterns);

		if ((size_t)(other - path) == len && strncmp(*patterns, path, len) == 0 &&
			text_match(other, name))
			return true;
	}
	return false;
}

bool configured_wants_certificate(const struct provider *provider, const char *path)
{
	for (const struct configured *entry = provider->agent->configured_providers; entry != NULL;
		entry = entry->next)
		if (entry->provider == provider && wants(section_of(entry)->certificates, path))
			return true;
	return false;
}

void configured_take(struct configured *entry, const struct config_provider *section)
{
	struct offer_rule offers;

	entry->confirm = section->confirm;
	entry->lists_absent = section->lists_absent;
	entry->release_said = section->release_said;
	take_certificates(entry, section);
	entry->release_after_s = section->release_after_s;
	if (offer_rule_same(&entry->offers, &section->offers))
		return;
	if (!offer_rule_copy(&section->offers, &offers)) {
		log_error("no memory for which keys of provider %s are offered", section->name);
		return;
	}
	offer_rule_deinit(&entry->offers);
	entry->offers = offers;
}
