/*
 * Which options a configuration file may have.
 */
#ifndef AGENT_CONFIG_OPTION_H
#define AGENT_CONFIG_OPTION_H

#include <confuse.h>

#include "config.h"

/* As libconfuse takes them, relays already filled: "+=" adds to those. NULL: out of memory. */
cfg_t *config_options_new(const struct config *config);

#endif
