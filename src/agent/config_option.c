/*
 * The options and what each may be, in two tables; libconfuse calls back for each value while it
 * knows its line.
 */
#include "config_option.h"

#include <ctype.h>
#include <string.h>

#include <keystile/text.h>

#include "broker.h"
#include "broker_address.h"
#include "command_name.h"
#include "config_audit.h"
#include "config_listener.h"
#include "config_provider.h"
#include "config_rule.h"
#include "config_value.h"

#define TIMEOUT_MAX_SECONDS 3600
#define TERMINAL_MAX 255

/* ---- What a value may be ---- */

static int check_timeout(cfg_t *cfg, cfg_opt_t *option)
{
	long seconds = text_seconds(config_last_value(option));

	if (seconds < 1 || seconds > TIMEOUT_MAX_SECONDS)
		return config_refuse(cfg, option,
			"the value must be a time from 1 second to 1 hour, such as 90 or 2m");
	return 0;
}

static int check_remote_memory_keys(cfg_t *cfg, cfg_opt_t *option)
{
	return config_check_choice(cfg, option, "refuse", "confirm");
}

static int check_remote_comments(cfg_t *cfg, cfg_opt_t *option)
{
	return config_check_choice(cfg, option, "neutral", "as-is");
}

static int check_when_locked(cfg_t *cfg, cfg_opt_t *option)
{
	return config_check_choice(cfg, option, "hide", "list");
}

static int check_path(cfg_t *cfg, cfg_opt_t *option)
{
	if (config_last_value(option)[0] != '/')
		return config_refuse(cfg, option, "the value must be a path that begins with /");
	return config_check_text(cfg, option);
}

static int check_address(cfg_t *cfg, cfg_opt_t *option)
{
	struct broker_address address;

	if (cfg_opt_size(option) > BROKER_GRANTS_CONFIGURED_MAX)
		return config_refuse(cfg, option, "there are too many addresses");
	if (!broker_address_parse(config_last_value(option), &address))
		return config_refuse(cfg, option,
			"the value must be /path, @name, tcp:1.2.3.4:port or tcp:[1::2]:port");
	return config_check_text(cfg, option);
}

static int check_prompts(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (strcmp(value, "auto") != 0 && strcmp(value, "askpass") != 0 &&
		strcmp(value, "pinentry") != 0 && strcmp(value, "terminal") != 0)
		return config_refuse(
			cfg, option, "the value must be auto, askpass, pinentry or terminal");
	return 0;
}

static int check_terminal(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (strncmp(value, "/dev/", strlen("/dev/")) != 0 || strlen(value) > TERMINAL_MAX)
		return config_refuse(cfg, option, "the value must be a terminal below /dev");
	return config_check_text(cfg, option);
}

static int check_relay(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (value[0] == '\0')
		return config_refuse(cfg, option, "an empty name matches no program");
	if (value[0] != '/' && strchr(value, '/') != NULL)
		return config_refuse(
			cfg, option, "a program is a name, or a path that begins with /");
	return config_check_text(cfg, option);
}

/* Length of the name before "=", 0 where it is not one. */
static size_t variable_name(const char *value)
{
	size_t len =
		strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return value[len] == '=' && !isdigit((unsigned char)value[0]) ? len : 0;
}

static int check_variable(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);
	size_t len = variable_name(value);

	if (len == 0)
		return config_refuse(cfg, option,
			"the value must be NAME=value, the name of letters, digits and \"_\"");
	for (unsigned i = 0; i + 1 < cfg_opt_size(option); i++) {
		if (strncmp(cfg_opt_getnstr(option, i), value, len + 1) == 0)
			return config_refuse(cfg, option, "a variable is given twice");
	}
	return config_check_text(cfg, option);
}

static int check_command(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);
	size_t len = command_name_len(value);

	if (cfg_opt_size(option) > COMMANDS_MAX)
		return config_refuse(cfg, option, "there are too many commands");
	if (len == 0 || value[len + 1 + strspn(value + len + 1, " \t")] == '\0')
		return config_refuse(cfg, option,
			"the value must be NAME=command, the name of up to 32 characters of a-z, "
			"0-9 and \"-\"");
	for (unsigned i = 0; i + 1 < cfg_opt_size(option); i++) {
		if (strncmp(cfg_opt_getnstr(option, i), value, len + 1) == 0)
			return config_refuse(cfg, option, "a command is given twice");
	}
	return config_check_text(cfg, option);
}

/* ---- The options ---- */

static const struct {
	const char *option;
	cfg_validate_callback_t check;
} checks[] = {
	{"allowed-providers", config_check_text},
	{"operation-timeout", check_timeout},
	{"prompt-timeout", check_timeout},
	{"release-after", config_check_release},
	{"unknown-clients", config_check_origin},
	{"ssh-without-session-bind", config_check_origin},
	{"remote-memory-keys", check_remote_memory_keys},
	{"remote-comments", check_remote_comments},
	{"when-locked", check_when_locked},
	{"prompts", check_prompts},
	{"askpass", check_path},
	{"pinentry", check_path},
	{"pinentry-terminal", check_terminal},
	{"audit", config_check_audit},
	{"audit-size", config_check_audit_size},
	{"relays", check_relay},
	{"worker|environment", check_variable},
	{"worker|grant-read", check_path},
	{"worker|grant-write", check_path},
	{"worker|grant-connect", check_address},
	{"worker|grant-command", check_command},
};

cfg_t *config_options_new(const struct config *config)
{
	cfg_opt_t worker[] = {
		CFG_STR_LIST("environment", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("grant-read", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("grant-write", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("grant-connect", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("grant-command", 0, CFGF_NODEFAULT),
		CFG_BOOL("grant-shared-memory", cfg_false, CFGF_NODEFAULT),
		CFG_END(),
	};
	cfg_opt_t rule[CONFIG_RULE_OPTIONS];
	cfg_opt_t options[] = {
		CFG_STR("allowed-providers", 0, CFGF_NODEFAULT),
		CFG_STR("operation-timeout", 0, CFGF_NODEFAULT),
		CFG_STR("prompt-timeout", 0, CFGF_NODEFAULT),
		CFG_STR("release-after", 0, CFGF_NODEFAULT),
		CFG_STR("unknown-clients", 0, CFGF_NODEFAULT),
		CFG_STR("ssh-without-session-bind", 0, CFGF_NODEFAULT),
		CFG_BOOL("allow-remote-without-presence", cfg_false, CFGF_NODEFAULT),
		CFG_BOOL("allow-rsa-sha1", cfg_false, CFGF_NODEFAULT),
		CFG_BOOL("allow-ssh-dss", cfg_false, CFGF_NODEFAULT),
		CFG_STR("remote-memory-keys", 0, CFGF_NODEFAULT),
		CFG_STR("remote-comments", 0, CFGF_NODEFAULT),
		CFG_STR("when-locked", 0, CFGF_NODEFAULT),
		CFG_STR("prompts", 0, CFGF_NODEFAULT),
		CFG_STR("askpass", 0, CFGF_NODEFAULT),
		CFG_STR("pinentry", 0, CFGF_NODEFAULT),
		CFG_STR("pinentry-terminal", 0, CFGF_NODEFAULT),
		CFG_STR("audit", 0, CFGF_NODEFAULT),
		CFG_BOOL("audit-all", cfg_false, CFGF_NODEFAULT),
		CFG_STR("audit-size", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("relays", 0, CFGF_NODEFAULT),
		CFG_SEC("worker", worker, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("listener", config_listener_options,
			CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("provider", config_provider_options,
			CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("rule", rule, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END(),
	};
	cfg_t *cfg;

	config_rule_options(rule);
	cfg = cfg_init(options, CFGF_NONE);
	if (cfg == NULL)
		return NULL;
	config_listener_checks(cfg);
	config_provider_checks(cfg);
	config_rule_checks(cfg);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		cfg_set_validate_func(cfg, checks[i].option, checks[i].check);
	for (unsigned i = 0; config->relays != NULL && config->relays[i] != NULL; i++) {
		if (cfg_setnstr(cfg, "relays", config->relays[i], i) != CFG_SUCCESS) {
			cfg_free(cfg);
			return NULL;
		}
	}
	return cfg;
}
