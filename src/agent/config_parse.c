/*
 * One configuration file from text to values, by libconfuse. The options and what each may be
 * stand in two tables; libconfuse calls back for each value while it knows its line.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "broker.h"
#include "broker_address.h"
#include "config.h"
#include "config_audit.h"
#include "config_check.h"
#include "config_listener.h"
#include "config_rule.h"
#include "config_value.h"

#define TIMEOUT_MAX_SECONDS 3600
#define TERMINAL_MAX 255

typedef cfg_t *cfg_auto;

static void cfg_cleanup(cfg_auto *cfg)
{
	if (*cfg != NULL)
		cfg_free(*cfg);
}

/* ---- Errors ---- */

/* libconfuse prints errors unless they are taken; the first is kept as the section's comment, which
 * cfg_free() frees and no file can set. */
static void keep_error(cfg_t *cfg, const char *format, va_list arguments) KS_PRINTF(2, 0);

static void keep_error(cfg_t *cfg, const char *format, va_list arguments)
{
	if (cfg->comment == NULL && vasprintf(&cfg->comment, format, arguments) < 0)
		cfg->comment = NULL;
}

/* The part of the file that an error was kept in. */
static cfg_t *failed_part(cfg_t *cfg)
{
	static const char *const sections[] = {"worker", "rule", "listener"};

	for (size_t kind = 0; kind < sizeof(sections) / sizeof(sections[0]); kind++) {
		for (unsigned i = 0; i < cfg_size(cfg, sections[kind]); i++) {
			cfg_t *section = cfg_getnsec(cfg, sections[kind], i);

			if (section != NULL && section->comment != NULL)
				return section;
		}
	}
	return cfg;
}

static enum ks_error explain(char **error, const char *name, unsigned line, const char *words)
{
	*error = text_format("%s:%u: %s", name, line, words);
	for (char *at = *error; at != NULL && *at != '\0'; at++) {
		if (iscntrl((unsigned char)*at))
			*at = '?';
	}
	return KS_BAD_INPUT;
}

/* ---- What a value may be ---- */

static int check_timeout(cfg_t *cfg, cfg_opt_t *option)
{
	long seconds = text_seconds(config_last_value(option));

	if (seconds < 1 || seconds > TIMEOUT_MAX_SECONDS)
		return config_refuse(cfg, option,
			"the value must be a time from 1 second to 1 hour, such as 90 or 2m");
	return 0;
}

static int check_origin(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (strcmp(value, "local") != 0 && strcmp(value, "remote") != 0)
		return config_refuse(cfg, option, "the value must be local or remote");
	return 0;
}

static int check_remote_memory_keys(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (strcmp(value, "refuse") != 0 && strcmp(value, "confirm") != 0)
		return config_refuse(cfg, option, "the value must be refuse or confirm");
	return 0;
}

static int check_remote_comments(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (strcmp(value, "neutral") != 0 && strcmp(value, "as-is") != 0)
		return config_refuse(cfg, option, "the value must be neutral or as-is");
	return 0;
}

static int check_when_locked(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (strcmp(value, "hide") != 0 && strcmp(value, "list") != 0)
		return config_refuse(cfg, option, "the value must be hide or list");
	return 0;
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

/* ---- The options ---- */

static const struct {
	const char *option;
	cfg_validate_callback_t check;
} checks[] = {
	{"allowed-providers", config_check_text},
	{"operation-timeout", check_timeout},
	{"prompt-timeout", check_timeout},
	{"unknown-clients", check_origin},
	{"ssh-without-session-bind", check_origin},
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
};

/* The options as libconfuse takes them, relays already filled: "+=" adds to those. */
static cfg_t *options_new(const struct config *config)
{
	cfg_opt_t worker[] = {
		CFG_STR_LIST("environment", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("grant-read", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("grant-write", 0, CFGF_NODEFAULT),
		CFG_STR_LIST("grant-connect", 0, CFGF_NODEFAULT),
		CFG_END(),
	};
	cfg_opt_t rule[CONFIG_RULE_OPTIONS];
	cfg_opt_t options[] = {
		CFG_STR("allowed-providers", 0, CFGF_NODEFAULT),
		CFG_STR("operation-timeout", 0, CFGF_NODEFAULT),
		CFG_STR("prompt-timeout", 0, CFGF_NODEFAULT),
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
		CFG_SEC("rule", rule, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END(),
	};
	cfg_t *cfg;

	config_rule_options(rule);
	cfg = cfg_init(options, CFGF_NONE);
	if (cfg == NULL)
		return NULL;
	config_listener_checks(cfg);
	config_rule_checks(cfg);
	cfg_set_error_function(cfg, keep_error);
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

/* ---- From libconfuse to the struct: each replaces what was there, if the file has it ---- */

static bool take_text(cfg_t *cfg, const char *option, char **out)
{
	if (cfg_size(cfg, option) == 0)
		return true;

	char *copy = strdup(cfg_getstr(cfg, option));

	if (copy == NULL)
		return false;
	free(*out);
	*out = copy;
	return true;
}

static void take_timeout(cfg_t *cfg, const char *option, uint32_t *out)
{
	if (cfg_size(cfg, option) > 0)
		*out = (uint32_t)text_seconds(cfg_getstr(cfg, option)) * 1000;
}

static void take_flag(cfg_t *cfg, const char *option, bool *out)
{
	if (cfg_size(cfg, option) > 0)
		*out = cfg_getbool(cfg, option) == cfg_true;
}

/* An option of two words: whether it is this one. */
static void take_choice(cfg_t *cfg, const char *option, const char *word, bool *out)
{
	if (cfg_size(cfg, option) > 0)
		*out = strcmp(cfg_getstr(cfg, option), word) == 0;
}

static void take_prompts(cfg_t *cfg, enum config_prompts *out)
{
	const char *value = cfg_size(cfg, "prompts") > 0 ? cfg_getstr(cfg, "prompts") : NULL;

	if (value == NULL)
		return;
	*out = CONFIG_PROMPTS_AUTO;
	if (strcmp(value, "askpass") == 0)
		*out = CONFIG_PROMPTS_ASKPASS;
	else if (strcmp(value, "pinentry") == 0)
		*out = CONFIG_PROMPTS_PINENTRY;
	else if (strcmp(value, "terminal") == 0)
		*out = CONFIG_PROMPTS_TERMINAL;
}

/* The worker of that name, a new one if need be; NULL when out of memory. */
static struct config_worker *worker_named(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->worker_count; i++) {
		if (strcmp(config->workers[i].name, name) == 0)
			return &config->workers[i];
	}

	struct config_worker *workers =
		reallocarray(config->workers, config->worker_count + 1, sizeof(*workers));

	if (workers == NULL)
		return NULL;
	config->workers = workers;

	struct config_worker *worker = &workers[config->worker_count];

	*worker = (struct config_worker){.name = strdup(name)};
	if (worker->name == NULL)
		return NULL;
	config->worker_count++;
	return worker;
}

static bool take_workers(cfg_t *cfg, struct config *config)
{
	for (unsigned i = 0; i < cfg_size(cfg, "worker"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "worker", i);
		struct config_worker *worker = worker_named(config, cfg_title(section));

		if (worker == NULL ||
			!config_take_list(section, "environment", &worker->environment) ||
			!config_take_list(section, "grant-read", &worker->read) ||
			!config_take_list(section, "grant-write", &worker->write) ||
			!config_take_list(section, "grant-connect", &worker->connect))
			return false;
	}
	return true;
}

static bool take_all(cfg_t *cfg, struct config *config)
{
	take_timeout(cfg, "operation-timeout", &config->operation_timeout_ms);
	take_timeout(cfg, "prompt-timeout", &config->prompt_timeout_ms);
	take_choice(cfg, "unknown-clients", "remote", &config->unknown_clients_remote);
	take_choice(cfg, "ssh-without-session-bind", "remote", &config->unbound_ssh_remote);
	take_flag(cfg, "allow-remote-without-presence", &config->allow_remote_without_presence);
	take_flag(cfg, "allow-rsa-sha1", &config->allow_rsa_sha1);
	take_flag(cfg, "allow-ssh-dss", &config->allow_ssh_dss);
	take_choice(cfg, "remote-memory-keys", "confirm", &config->remote_memory_keys_confirm);
	take_choice(cfg, "remote-comments", "as-is", &config->remote_comments_as_is);
	take_choice(cfg, "when-locked", "list", &config->locked_keys_listed);
	take_prompts(cfg, &config->prompts);
	config_take_audit(cfg, config);
	return take_text(cfg, "allowed-providers", &config->allowed_providers) &&
	       take_text(cfg, "askpass", &config->askpass) &&
	       take_text(cfg, "pinentry", &config->pinentry) &&
	       take_text(cfg, "pinentry-terminal", &config->pinentry_terminal) &&
	       config_take_list(cfg, "relays", &config->relays) && take_workers(cfg, config) &&
	       config_take_listeners(cfg, config) && config_take_rules(cfg, &config->rules);
}

/* ---- The whole ---- */

static enum ks_error parse_clean(
	const struct buf *cleaned, const char *name, struct config *config, char **error)
{
	AUTO(cfg)
	cfg = options_new(config);

	if (cfg == NULL)
		return KS_NO_MEMORY;
	if (cfg_parse_buf(cfg, (const char *)cleaned->data) != CFG_SUCCESS) {
		cfg_t *part = failed_part(cfg);
		const char *words = part->comment != NULL ? part->comment : "not understood";

		return explain(error, name, part->line > 0 ? (unsigned)part->line : 1, words);
	}

	return take_all(cfg, config) ? KS_OK : KS_NO_MEMORY;
}

enum ks_error config_parse(struct bytes text, const char *name, struct config *config, char **error)
{
	struct config_flaw flaw = {0};
	AUTO(buf)
	cleaned = {0};

	*error = NULL;
	if (text.len > CONFIG_FILE_MAX)
		return explain(error, name, 1, "the file is longer than 1 MiB");
	buf_init(&cleaned, CONFIG_FILE_MAX + 1);

	enum ks_error checked = config_check(text, &cleaned, &flaw);

	if (checked == KS_BAD_INPUT)
		return explain(error, name, flaw.line, flaw.words);
	buf_put_u8(&cleaned, '\0');
	if (checked != KS_OK || buf_status(&cleaned) != KS_OK)
		return KS_NO_MEMORY;
	return parse_clean(&cleaned, name, config, error);
}
