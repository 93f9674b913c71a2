/*
 * One configuration file from text to values, by libconfuse.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "config.h"
#include "config_audit.h"
#include "config_check.h"
#include "config_listener.h"
#include "config_option.h"
#include "config_provider.h"
#include "config_rule.h"
#include "config_value.h"

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
	static const char *const sections[] = {"worker", "rule", "listener", "provider"};

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
			!config_take_list(section, "grant-connect", &worker->connect) ||
			!config_take_list(section, "grant-command", &worker->commands))
			return false;
		if (cfg_size(section, "grant-shared-memory") > 0)
			worker->shared_memory =
				cfg_getbool(section, "grant-shared-memory") == cfg_true;
	}
	return true;
}

static bool take_all(cfg_t *cfg, struct config *config)
{
	take_timeout(cfg, "operation-timeout", &config->operation_timeout_ms);
	take_timeout(cfg, "prompt-timeout", &config->prompt_timeout_ms);
	if (cfg_size(cfg, "release-after") > 0)
		config->release_after_s = config_release_seconds(cfg);
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
	       config_take_listeners(cfg, config) && config_take_providers(cfg, config) &&
	       config_take_rules(cfg, &config->rules);
}

/* ---- The whole ---- */

static enum ks_error parse_clean(
	const struct buf *cleaned, const char *name, struct config *config, char **error)
{
	AUTO(cfg)
	cfg = config_options_new(config);

	if (cfg == NULL)
		return KS_NO_MEMORY;
	cfg_set_error_function(cfg, keep_error);
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
