/*
 * The sections "listener NAME { ... }" of keystile.conf(5): which options there are, what each may
 * be, and how they are taken over.
 */
#ifndef AGENT_CONFIG_LISTENER_H
#define AGENT_CONFIG_LISTENER_H

#include <confuse.h>
#include <stdbool.h>

#include "config.h"

#define CONFIG_LISTENER_NAME_MAX 32
#define CONFIG_LISTENERS_MAX 32

/* What libconfuse needs to know of a section. */
extern cfg_opt_t config_listener_options[];
void config_listener_checks(cfg_t *cfg);
/* Sections of the file over those of the same name. False: out of memory. */
bool config_take_listeners(cfg_t *cfg, struct config *config);
/* NULL: there is no such section. */
const struct config_listener *config_listener_named(const struct config *config, const char *name);
/* Whether a listener can be called that. */
bool config_listener_name_fits(struct bytes name);
void config_listener_deinit(struct config_listener *listener);

#endif
