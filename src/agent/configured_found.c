/*
 * Sections of the configuration that leave open which modules they mean (provider_find.h): each
 * module that is found becomes an entry of its own, with a worker and retries of its own, and what
 * its section says counts for it. They are looked for when the configuration is read.
 */
#include "configured_entry.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "provider.h"
#include "provider_find.h"

#define SHOWN_MAX 48 /* of a module's file name */

/* As it may stand in logs. */
static char *shown_name(const struct configured *section, const char *load)
{
	char *name = text_format("%s/%.*s", section->name, SHOWN_MAX, provider_find_file(load));

	for (char *at = name; at != NULL && *at != '\0'; at++)
		if (!isgraph((unsigned char)*at))
			*at = '?';
	return name;
}

static struct configured *find_module(const struct configured *section, const char *load)
{
	struct configured *entry = section->agent->configured_providers;

	while (entry != NULL && (entry->parent != section || strcmp(entry->load, load) != 0))
		entry = entry->next;
	return entry;
}

static void take_module(struct configured *section, const char *load)
{
	struct configured *entry = find_module(section, load);
	AUTO(text) name = shown_name(section, load);

	if (entry != NULL) {
		configured_renew(entry);
		return;
	}
	entry = name == NULL ? NULL : configured_new(section->agent, name, load);
	if (entry == NULL) {
		log_error("no memory for a module of provider %s", section->name);
		return;
	}
	entry->parent = section;
	configured_begin(entry);
}

static void on_found(void *owner, char *const *names, size_t count, const char *words)
{
	struct configured *section = owner;

	section->find = NULL;
	if (names == NULL) {
		configured_fail(section, words);
		return;
	}
	section->state = CONFIGURED_LOADED;
	section->failures = 0;
	section->trouble[0] = '\0';
	configured_mark_of(section->agent, section);
	for (size_t i = 0; i < count; i++)
		take_module(section, names[i]);
	configured_sweep(section->agent);
	configured_tell_all(section->agent);
}

void configured_find(struct configured *section)
{
	if (section->find != NULL)
		return;
	section->find = provider_find(section->agent, section->load, on_found, section);
	if (section->find == NULL)
		configured_fail(section,
			"no worker could be started for it, or too many providers are loaded");
}

bool configured_brings_nothing(const struct configured *section)
{
	const struct configured *entry = section->agent->configured_providers;

	if (section->state != CONFIGURED_LOADED || !provider_find_due(section->load))
		return false;
	while (entry != NULL &&
		(entry->parent != section || entry->provider == NULL ||
			keyring_count(&section->agent->keyring, entry->provider) == 0))
		entry = entry->next;
	return entry == NULL;
}
