/*
 * The sections "provider NAME { ... }" of keystile.conf(5): what is loaded without ssh-add -s.
 */
#ifndef AGENT_CONFIG_PROVIDER_H
#define AGENT_CONFIG_PROVIDER_H

#include <confuse.h>
#include <stdbool.h>

#include "config.h"

#define CONFIG_PROVIDER_NAME_MAX 32
#define CONFIG_PROVIDERS_MAX 32

/* What libconfuse needs to know of a section. */
extern cfg_opt_t config_provider_options[];
void config_provider_checks(cfg_t *cfg);
/* Sections of the file over those of the same name. False: out of memory. */
bool config_take_providers(cfg_t *cfg, struct config *config);
void config_provider_deinit(struct config_provider *provider);

#endif
