/*
 * Values between libconfuse and the configuration. See config_value.h.
 */
#include "config_value.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/text.h>

#include "config.h"

#define NEVER "never"
#define RELEASE_MAX_SECONDS (24L * 3600)

const char *config_last_value(cfg_opt_t *option)
{
	return cfg_opt_getnstr(option, cfg_opt_size(option) - 1);
}

int config_refuse(cfg_t *cfg, cfg_opt_t *option, const char *words)
{
	cfg_error(cfg, "%s: %s", cfg_opt_name(option), words);
	return -1;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return false;
	}
	return true;
}

int config_check_text(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (value == NULL || strlen(value) > CONFIG_VALUE_MAX)
		return config_refuse(cfg, option, "the value is too long");
	return is_printable(value)
		       ? 0
		       : config_refuse(cfg, option, "the value holds control characters");
}

int config_check_choice(cfg_t *cfg, cfg_opt_t *option, const char *one, const char *other)
{
	const char *value = config_last_value(option);
	char words[64];

	if (strcmp(value, one) == 0 || strcmp(value, other) == 0)
		return 0;
	snprintf(words, sizeof(words), "the value must be %s or %s", one, other);
	return config_refuse(cfg, option, words);
}

int config_check_origin(cfg_t *cfg, cfg_opt_t *option)
{
	return config_check_choice(cfg, option, "local", "remote");
}

int config_check_key(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (value[value[0] == '!'] == '\0')
		return config_refuse(cfg, option, "an empty pattern matches nothing");
	return config_check_text(cfg, option);
}

bool config_is_empty_list(cfg_t *section, const char *option)
{
	const cfg_opt_t *found = cfg_getopt(section, option);

	return cfg_size(section, option) == 0 && (found->flags & CFGF_MODIFIED) != 0;
}

bool config_take_list(cfg_t *cfg, const char *option, char ***out)
{
	unsigned count = cfg_size(cfg, option);
	char **list = calloc((size_t)count + 1, sizeof(*list));
	bool complete = list != NULL;

	for (unsigned i = 0; i < count && complete; i++) {
		list[i] = strdup(cfg_getnstr(cfg, option, i));
		complete = list[i] != NULL;
	}
	config_list_free(complete ? out : &list);
	if (complete)
		*out = list;
	return complete;
}

int config_check_release(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);
	long seconds = text_seconds(value);

	if (strcmp(value, NEVER) == 0 || (seconds >= 1 && seconds <= RELEASE_MAX_SECONDS))
		return 0;
	return config_refuse(cfg, option,
		"the value must be never, or a time from 1 second to 24 hours, such as 90 or 10m");
}

uint32_t config_release_seconds(cfg_t *cfg)
{
	const char *value = cfg_getstr(cfg, "release-after");

	return strcmp(value, NEVER) == 0 ? 0 : (uint32_t)text_seconds(value);
}
