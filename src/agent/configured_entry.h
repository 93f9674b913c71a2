/*
 * One section of the configuration that loads a provider, for the files that carry it out:
 * configured.c (which there are), configured_load.c (their way from LOADING to LOADED),
 * configured_found.c (those that mean several modules) and configured_option.c (what they say of
 * the provider). See configured.h for the states.
 */
#ifndef AGENT_CONFIGURED_ENTRY_H
#define AGENT_CONFIGURED_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "offer_rule.h"

struct agent;
struct config_provider;
struct operation;
struct provider;
struct provider_find;
struct provider_wait;

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
	struct configured *parent; /* its section, where that left open which module; else NULL */
	char *name;
	char *load;
	bool confirm;
	bool lists_absent;
	bool release_said;
	uint32_t release_after_s;
	struct offer_rule offers;
	char **certificates; /* absolute patterns of paths; NULL: none */
	bool gone;	     /* while the configuration is followed: not found there yet */
	enum configured_state state;
	struct provider_wait *wait; /* while LOADING */
	struct provider *provider;  /* while LISTING, then held, and LOADED */
	struct operation *operation;
	struct provider_find *find; /* what it means is being looked for */
	uv_timer_t retry;
	uint64_t retry_ms;
	unsigned failures; /* in a row */
	char trouble[512];
};

/* NULL: no memory. The last of them all. */
struct configured *configured_new(struct agent *agent, const char *name, const char *load);
/* It is wanted still, and what was removed of it again. */
void configured_renew(struct configured *entry);
/* Those of a section, or all of them (NULL), are gone unless they are renewed before the sweep. */
void configured_mark_of(struct agent *agent, const struct configured *section);
void configured_sweep(struct agent *agent);

/* Loads it, now. */
void configured_begin(struct configured *entry);
/* Asks its provider for its keys, if that is needed. */
void configured_list(struct configured *entry);
/* Said, and tried again later. */
void configured_fail(struct configured *entry, const char *words);
/* Nothing of it is in work after that. The provider that it had, or NULL. */
struct provider *configured_let_go(struct configured *entry);

/* Looks for the modules that a section means. */
void configured_find(struct configured *section);
/* None of them has a key. */
bool configured_brings_nothing(const struct configured *section);

/* What its section says beside its name and what it loads. */
void configured_take(struct configured *entry, const struct config_provider *section);
/* Whether a section has it. */
bool configured_wants(const struct agent *agent, const struct provider *provider);
/* The provider is told what all its sections together say; or every provider is. */
void configured_tell(struct provider *provider);
void configured_tell_all(struct agent *agent);

#endif
