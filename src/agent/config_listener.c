/*
 * Listeners between libconfuse and the configuration. See config_listener.h.
 */
#include "config_listener.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <keystile/text.h>

#include "config_value.h"

#define DEFAULT_MODE 0600

/* Peers are asked for their uid whatever the mode is; 0600 is what needs no thought. */
static const struct {
	const char *text;
	unsigned mode;
} modes[] = {{"0600", 0600}, {"0660", 0660}, {"0666", 0666}};

#define MODES (sizeof(modes) / sizeof(modes[0]))

/* ---- What a value may be ---- */

static int check_path(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);
	const char *slash = strrchr(value, '/');

	if (value[0] != '/' || slash == value || slash[1] == '\0')
		return config_refuse(
			cfg, option, "the value must be a path that begins with /, in a folder");
	if (strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return config_refuse(
			cfg, option, "the path is too long for a socket: 107 bytes at most");
	return config_check_text(cfg, option);
}

static int check_mode(cfg_t *cfg, cfg_opt_t *option)
{
	for (size_t i = 0; i < MODES; i++)
		if (strcmp(config_last_value(option), modes[i].text) == 0)
			return 0;
	return config_refuse(cfg, option, "the value must be 0600, 0660 or 0666");
}

static int check_comments(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = config_last_value(option);

	if (strcmp(value, "neutral") == 0 || strcmp(value, "as-is") == 0)
		return 0;
	return config_refuse(cfg, option, "the value must be neutral or as-is");
}

/* Called where the section ends. */
static int check_listener(cfg_t *cfg, cfg_opt_t *option)
{
	cfg_t *section = cfg_opt_getnsec(option, cfg_opt_size(option) - 1);

	if (cfg_opt_size(option) > CONFIG_LISTENERS_MAX) {
		cfg_error(cfg, "more than %d listeners", CONFIG_LISTENERS_MAX);
		return -1;
	}
	if (config_is_empty_list(section, "keys")) {
		cfg_error(cfg, "listener %s: keys is empty, so nothing could be signed there",
			cfg_title(section));
		return -1;
	}
	return 0;
}

bool config_listener_name_fits(struct bytes name)
{
	static const char *const taken[] = {"agent", "remote", "control"};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (bytes_equal_text(name, taken[i]))
			return false;
	return name.len > 0 && name.len <= CONFIG_LISTENER_NAME_MAX;
}

const struct config_listener *config_listener_named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (strcmp(config->listeners[i].name, name) == 0)
			return &config->listeners[i];
	return NULL;
}

/* ---- For libconfuse ---- */

cfg_opt_t config_listener_options[] = {
	CFG_STR("path", 0, CFGF_NODEFAULT),
	CFG_STR("origin", 0, CFGF_NODEFAULT),
	CFG_STR_LIST("keys", 0, CFGF_NODEFAULT),
	CFG_STR("mode", 0, CFGF_NODEFAULT),
	CFG_STR("comments", 0, CFGF_NODEFAULT),
	CFG_END(),
};

void config_listener_checks(cfg_t *cfg)
{
	cfg_set_validate_func(cfg, "listener", check_listener);
	cfg_set_validate_func(cfg, "listener|path", check_path);
	cfg_set_validate_func(cfg, "listener|origin", config_check_origin);
	cfg_set_validate_func(cfg, "listener|keys", config_check_key);
	cfg_set_validate_func(cfg, "listener|mode", check_mode);
	cfg_set_validate_func(cfg, "listener|comments", check_comments);
}

/* ---- From libconfuse to the struct ---- */

void config_listener_deinit(struct config_listener *listener)
{
	free(listener->name);
	free(listener->path);
	config_list_free(&listener->keys);
	*listener = (struct config_listener){0};
}

static bool says(cfg_t *section, const char *option, const char *word)
{
	return cfg_size(section, option) > 0 && strcmp(cfg_getstr(section, option), word) == 0;
}

static unsigned mode_of(cfg_t *section)
{
	for (size_t i = 0; i < MODES; i++)
		if (says(section, "mode", modes[i].text))
			return modes[i].mode;
	return DEFAULT_MODE;
}

static bool take_texts(cfg_t *section, struct config_listener *out)
{
	bool has_path = cfg_size(section, "path") > 0;

	out->name = strdup(cfg_title(section));
	out->path = has_path ? strdup(cfg_getstr(section, "path")) : NULL;
	return out->name != NULL && (out->path != NULL || !has_path) &&
	       (cfg_size(section, "keys") == 0 || config_take_list(section, "keys", &out->keys));
}

static bool take_listener(cfg_t *section, struct config_listener *out)
{
	*out = (struct config_listener){
		.local = says(section, "origin", "local"), .mode = mode_of(section)};
	if (says(section, "comments", "neutral"))
		out->comments = CONFIG_COMMENTS_NEUTRAL;
	if (says(section, "comments", "as-is"))
		out->comments = CONFIG_COMMENTS_AS_IS;
	if (take_texts(section, out))
		return true;
	config_listener_deinit(out);
	return false;
}

/* In place of the one of the same name, or behind the others. False: out of memory. */
static bool put_listener(struct config *config, const struct config_listener *listener)
{
	struct config_listener *longer;
	size_t at = 0;

	while (at < config->listener_count &&
		strcmp(config->listeners[at].name, listener->name) != 0)
		at++;
	if (at < config->listener_count) {
		config_listener_deinit(&config->listeners[at]);
		config->listeners[at] = *listener;
		return true;
	}
	longer = reallocarray(config->listeners, at + 1, sizeof(*longer));
	if (longer == NULL)
		return false;
	config->listeners = longer;
	config->listeners[config->listener_count++] = *listener;
	return true;
}

bool config_take_listeners(cfg_t *cfg, struct config *config)
{
	for (unsigned i = 0; i < cfg_size(cfg, "listener"); i++) {
		struct config_listener listener;

		if (!take_listener(cfg_getnsec(cfg, "listener", i), &listener))
			return false;
		if (!put_listener(config, &listener)) {
			config_listener_deinit(&listener);
			return false;
		}
	}
	return true;
}
