/*
 * What all options of keystile.conf(5) have in common: refusing a value in words while libconfuse
 * knows its line, and taking what it holds.
 */
#ifndef AGENT_CONFIG_VALUE_H
#define AGENT_CONFIG_VALUE_H

#include <confuse.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_VALUE_MAX 4096

/* The value that was just read. */
const char *config_last_value(cfg_opt_t *option);
/* -1, which is what a check of libconfuse returns. */
int config_refuse(cfg_t *cfg, cfg_opt_t *option, const char *words);
/* A check: not too long, no control characters. */
int config_check_text(cfg_t *cfg, cfg_opt_t *option);
/* One of two words; config_check_origin(): local or remote, as a check. */
int config_check_choice(cfg_t *cfg, cfg_opt_t *option, const char *one, const char *other);
int config_check_origin(cfg_t *cfg, cfg_opt_t *option);
/* A pattern for keys, as listed.h has them; a check. */
int config_check_key(cfg_t *cfg, cfg_opt_t *option);
/* A list that was given as {}: it is marked as changed, and has no values. */
bool config_is_empty_list(cfg_t *section, const char *option);
/* False: out of memory. The list replaces what *out held. */
bool config_take_list(cfg_t *cfg, const char *option, char ***out);

/* release-after: a time, or never; as a check, and as it is taken: seconds, 0 for never. */
int config_check_release(cfg_t *cfg, cfg_opt_t *option);
uint32_t config_release_seconds(cfg_t *cfg);

#endif
