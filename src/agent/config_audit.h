/*
 * The options of the audit log in keystile.conf(5).
 */
#ifndef AGENT_CONFIG_AUDIT_H
#define AGENT_CONFIG_AUDIT_H

#include <confuse.h>

#include "config.h"

int config_check_audit(cfg_t *cfg, cfg_opt_t *option);
int config_check_audit_size(cfg_t *cfg, cfg_opt_t *option);
/* What the file does not have stays as it was. */
void config_take_audit(cfg_t *cfg, struct config *config);

#endif
