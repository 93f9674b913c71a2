/*
 * The sections "rule NAME { ... }" of keystile.conf(5): which options there are, what each may be,
 * and what must not stand together.
 */
#ifndef AGENT_CONFIG_RULE_H
#define AGENT_CONFIG_RULE_H

#include <confuse.h>
#include <stdbool.h>

#include "policy_rule.h"

#define CONFIG_RULE_OPTIONS (POLICY_LIST_COUNT + 5) /* with the end */

/* Fills in what libconfuse needs to know of a section. */
void config_rule_options(cfg_opt_t options[static CONFIG_RULE_OPTIONS]);
void config_rule_checks(cfg_t *cfg);
/* The file's rules replace all others, where it has any. False: out of memory. */
bool config_take_rules(cfg_t *cfg, struct policy_rules *rules);

#endif
