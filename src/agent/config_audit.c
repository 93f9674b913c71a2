/*
 * See config_audit.h.
 */
#include "config_audit.h"

#include <stdlib.h>
#include <string.h>

#include "config_value.h"

#define SIZE_MIN ((uint64_t)64 << 10)
#define SIZE_LIMIT ((uint64_t)1 << 30)

/* -1: no word for it. */
static int audit_by_name(const char *name)
{
	static const char *const names[] = {
		[CONFIG_AUDIT_OFF] = "off",
		[CONFIG_AUDIT_JOURNAL] = "journal",
		[CONFIG_AUDIT_FILE] = "file",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return (int)i;
	return -1;
}

/* "512k" or "16M" in bytes; 0 where it is neither. */
static uint64_t size_of(const char *value)
{
	size_t digits = strspn(value, "0123456789");
	unsigned shift = 0;

	if (strcmp(value + digits, "k") == 0)
		shift = 10;
	else if (strcmp(value + digits, "M") == 0)
		shift = 20;
	return shift == 0 || digits == 0 || digits > 7 ? 0 : strtoull(value, NULL, 10) << shift;
}

int config_check_audit(cfg_t *cfg, cfg_opt_t *option)
{
	if (audit_by_name(config_last_value(option)) < 0)
		return config_refuse(cfg, option, "the value must be off, journal or file");
	return 0;
}

int config_check_audit_size(cfg_t *cfg, cfg_opt_t *option)
{
	uint64_t size = size_of(config_last_value(option));

	if (size < SIZE_MIN || size > SIZE_LIMIT)
		return config_refuse(
			cfg, option, "the value must be a size from 64k to 1024M, such as 16M");
	return 0;
}

void config_take_audit(cfg_t *cfg, struct config *config)
{
	if (cfg_size(cfg, "audit") > 0)
		config->audit = (enum config_audit)audit_by_name(cfg_getstr(cfg, "audit"));
	if (cfg_size(cfg, "audit-all") > 0)
		config->audit_all = cfg_getbool(cfg, "audit-all") == cfg_true;
	if (cfg_size(cfg, "audit-size") > 0)
		config->audit_size = size_of(cfg_getstr(cfg, "audit-size"));
}
