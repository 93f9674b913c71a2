/*
 * Configured providers between libconfuse and the configuration. See config_provider.h.
 */
#include "config_provider.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/text.h>

#include "config_value.h"
#include "key_usage.h"

/* In the user's file: what the system's loads under this name is not loaded. */
#define NOTHING "none"

#define CERTIFICATE_PATTERNS_MAX 16

/* ---- What a value may be ---- */

/* A path, or a scheme and what belongs to it: what is behind that is the worker's to judge. */
static int check_load(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);
	size_t scheme = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (value[0] != '/' && (scheme == 0 || value[scheme] != ':') && strcmp(value, NOTHING) != 0)
		return config_refuse(cfg, option,
			"the value must be what ssh-add -s takes: a path that begins with /, "
			"or a name such as tpm2:");
	if (strstr(value, "pin-value=") != NULL || strstr(value, "pin-source=") != NULL)
		return config_refuse(
			cfg, option, "a PIN has no place here: it is asked for when it is needed");
	return config_check_text(cfg, option);
}

static int check_absent(cfg_t *cfg, cfg_opt_t *option)
{
	return config_check_choice(cfg, option, "hide", "list");
}

static int check_id(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	value += value[0] == '!';
	if (value[0] == '\0' || value[strspn(value, "0123456789abcdef*?")] != '\0')
		return config_refuse(cfg, option,
			"an id is written in hexadecimal, with a to f in lower case, such as 01");
	return config_check_text(cfg, option);
}

static int check_slot(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (!offer_rule_slot_fits(value + (value[0] == '!')))
		return config_refuse(
			cfg, option, "a slot is one of 9a, 9c, 9d, 9e, 82 to 95, f9, or \"*\"");
	return 0;
}

static int check_usage(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (!key_usage_fits(value + (value[0] == '!')))
		return config_refuse(cfg, option,
			"a usage is any, a name such as clientAuth, or an OID such as "
			"1.3.6.1.5.5.7.3.2; keystile keys shows those of a key");
	return config_check_text(cfg, option);
}

static const struct {
	const char *option;
	cfg_validate_callback_t check;
} lists[] = {
	{"keys", config_check_key},
	{"ids", check_id},
	{"slots", check_slot},
	{"usages", check_usage},
	{"issuers", config_check_key},
};

#define LISTS (sizeof(lists) / sizeof(lists[0]))

static int check_certificates(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);
	const char *name = strrchr(value, '/');

	if (cfg_opt_size(option) > CERTIFICATE_PATTERNS_MAX)
		return config_refuse(cfg, option, "the list is too long");
	if ((value[0] != '/' && strncmp(value, "~/", 2) != 0) || name[1] == '\0')
		return config_refuse(cfg, option,
			"the value must be a path that begins with / or ~/, and ends with a file's "
			"name");
	if (strcspn(value, "*?") < (size_t)(name - value))
		return config_refuse(cfg, option, "only the last part of a path is a pattern");
	return config_check_text(cfg, option);
}

/* Called where the section ends. */
static int check_provider(cfg_t *cfg, cfg_opt_t *option)
{
	cfg_t *section = cfg_opt_getnsec(option, cfg_opt_size(option) - 1);

	if (cfg_opt_size(option) > CONFIG_PROVIDERS_MAX) {
		cfg_error(cfg, "more than %d providers", CONFIG_PROVIDERS_MAX);
		return -1;
	}
	if (cfg_size(section, "load") == 0) {
		cfg_error(cfg, "provider %s: load says what it is, and is missing",
			cfg_title(section));
		return -1;
	}
	for (size_t i = 0; i < LISTS; i++) {
		if (!config_is_empty_list(section, lists[i].option))
			continue;
		cfg_error(cfg, "provider %s: %s is empty, so nothing would be offered",
			cfg_title(section), lists[i].option);
		return -1;
	}
	return 0;
}

/* ---- For libconfuse ---- */

cfg_opt_t config_provider_options[] = {
	CFG_STR("load", 0, CFGF_NODEFAULT),
	CFG_STR_LIST("keys", 0, CFGF_NODEFAULT),
	CFG_STR_LIST("ids", 0, CFGF_NODEFAULT),
	CFG_STR_LIST("slots", 0, CFGF_NODEFAULT),
	CFG_STR_LIST("usages", 0, CFGF_NODEFAULT),
	CFG_STR_LIST("issuers", 0, CFGF_NODEFAULT),
	CFG_STR_LIST("certificates", 0, CFGF_NODEFAULT),
	CFG_STR("absent", 0, CFGF_NODEFAULT),
	CFG_STR("release-after", 0, CFGF_NODEFAULT),
	CFG_BOOL("confirm", cfg_false, CFGF_NODEFAULT),
	CFG_END(),
};

void config_provider_checks(cfg_t *cfg)
{
	cfg_set_validate_func(cfg, "provider", check_provider);
	cfg_set_validate_func(cfg, "provider|load", check_load);
	cfg_set_validate_func(cfg, "provider|absent", check_absent);
	cfg_set_validate_func(cfg, "provider|release-after", config_check_release);
	cfg_set_validate_func(cfg, "provider|certificates", check_certificates);
	for (size_t i = 0; i < LISTS; i++) {
		char path[64];

		snprintf(path, sizeof(path), "provider|%s", lists[i].option);
		cfg_set_validate_func(cfg, path, lists[i].check);
	}
}

/* ---- From libconfuse to the struct ---- */

void config_provider_deinit(struct config_provider *provider)
{
	free(provider->name);
	free(provider->load);
	offer_rule_deinit(&provider->offers);
	config_list_free(&provider->certificates);
	*provider = (struct config_provider){0};
}

/* NULL stays NULL. */
static bool take_list(cfg_t *section, const char *option, char ***out)
{
	return cfg_size(section, option) == 0 || config_take_list(section, option, out);
}

static bool take_offers(cfg_t *section, struct offer_rule *out)
{
	return take_list(section, "keys", &out->keys) && take_list(section, "ids", &out->ids) &&
	       take_list(section, "slots", &out->slots) &&
	       take_list(section, "usages", &out->usages) &&
	       take_list(section, "issuers", &out->issuers);
}

/* "~/" is the home that ssh has; with no home known it stays, and means no file. */
static char *in_home(const char *path)
{
	const char *home = secure_getenv("HOME");

	if (path[0] != '~')
		return strdup(path);
	if (home == NULL || home[0] != '/') {
		const struct passwd *user = getpwuid(getuid());

		home = user != NULL ? user->pw_dir : NULL;
	}
	return home != NULL ? text_format("%s%s", home, path + 1)
			    : text_format("/nonexistent%s", path + 1);
}

static bool take_certificates(cfg_t *section, char ***out)
{
	const char *const usual[] = {"~/.ssh/*-cert.pub", NULL};

	if (cfg_size(section, "certificates") == 0 &&
		!config_is_empty_list(section, "certificates"))
		*out = config_list_copy(usual);
	else if (!config_take_list(section, "certificates", out))
		return false;
	for (char **one = *out; one != NULL && *one != NULL; one++) {
		char *path = in_home(*one);

		if (path == NULL)
			return false;
		free(*one);
		*one = path;
	}
	return *out != NULL;
}

static bool take_provider(cfg_t *section, struct config_provider *out)
{
	*out = (struct config_provider){.name = strdup(cfg_title(section)),
		.load = strdup(cfg_getstr(section, "load")),
		.confirm = cfg_size(section, "confirm") > 0 &&
			   cfg_getbool(section, "confirm") == cfg_true,
		.lists_absent = cfg_size(section, "absent") > 0 &&
				strcmp(cfg_getstr(section, "absent"), "list") == 0,
		.release_said = cfg_size(section, "release-after") > 0};
	if (out->release_said)
		out->release_after_s = config_release_seconds(section);
	if (out->name != NULL && out->load != NULL && take_offers(section, &out->offers) &&
		take_certificates(section, &out->certificates))
		return true;
	config_provider_deinit(out);
	return false;
}

static void drop(struct config *config, size_t at)
{
	config_provider_deinit(&config->providers[at]);
	config->provider_count--;
	memmove(&config->providers[at], &config->providers[at + 1],
		(config->provider_count - at) * sizeof(config->providers[0]));
}

static bool append(struct config *config, const struct config_provider *provider)
{
	struct config_provider *longer = reallocarray(
		config->providers, config->provider_count + 1, sizeof(*config->providers));

	if (longer == NULL)
		return false;
	config->providers = longer;
	config->providers[config->provider_count++] = *provider;
	return true;
}

/* In place of the one of the same name. False: out of memory, and it is the caller's still. */
static bool put_provider(struct config *config, struct config_provider *provider)
{
	for (size_t i = 0; i < config->provider_count; i++)
		if (strcmp(config->providers[i].name, provider->name) == 0) {
			drop(config, i);
			break;
		}
	if (strcmp(provider->load, NOTHING) != 0)
		return append(config, provider);
	config_provider_deinit(provider);
	return true;
}

bool config_take_providers(cfg_t *cfg, struct config *config)
{
	for (unsigned i = 0; i < cfg_size(cfg, "provider"); i++) {
		struct config_provider provider;

		if (!take_provider(cfg_getnsec(cfg, "provider", i), &provider))
			return false;
		if (!put_provider(config, &provider)) {
			config_provider_deinit(&provider);
			return false;
		}
	}
	return true;
}
