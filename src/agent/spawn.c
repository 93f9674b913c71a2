/*
 * Child processes. A worker's environment is built from names that its backend lists and from
 * what the configuration gives; nothing else gets through, so that neither LD_PRELOAD nor a
 * token's PIN in some variable does.
 */
#include "spawn.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "command_name.h"
#include "paths.h"

#define WORKER_ENVIRONMENT_MAX 64

static bool starts_with_name(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool names_same(const char *a, const char *b)
{
	const char *end = strchr(b, '=');

	return end != NULL && strncmp(a, b, (size_t)(end - b) + 1) == 0;
}

static bool lists_name(const char *const *names, const char *entry)
{
	while (*names != NULL && !starts_with_name(entry, *names))
		names++;
	return *names != NULL;
}

/* By which p11-kit's client finds the first of the granted commands, unless it is told otherwise.
 */
static char *command_variable(struct agent *agent, const struct ks_needs *needs)
{
	static const char variable[] = "P11_KIT_SERVER_ADDRESS";
	const struct config_worker *configured = config_worker(&agent->config, needs->name);
	AUTO(text) address = configured != NULL && configured->commands != NULL &&
					     configured->commands[0] != NULL
				     ? command_address(configured->commands[0])
				     : NULL;
	AUTO(text) entry =
		address == NULL ? NULL : text_format("%s=unix:path=%s", variable, address);

	if (entry == NULL || !lists_name(needs->environment, entry))
		return NULL;
	for (char *const *other = configured->environment; *other != NULL; other++)
		if (starts_with_name(*other, variable))
			return NULL;
	return TAKE_TEXT(entry);
}

/*
 * Borrowed entries, ended by NULL; what is configured goes before what is inherited. command is
 * what command_variable() says.
 */
static void build_environment(struct agent *agent, const struct ks_needs *needs, char *command,
	char *out[WORKER_ENVIRONMENT_MAX])
{
	char *const *configured = config_worker_environment(&agent->config, needs->name);
	char *const *entry;
	size_t count = 0;

	if (command != NULL)
		out[count++] = command;
	for (entry = configured; *entry != NULL && count < WORKER_ENVIRONMENT_MAX - 1; entry++)
		out[count++] = *entry;
	for (entry = agent->settings.environment; *entry != NULL; entry++) {
		bool configured_already = false;

		for (size_t i = 0; i < count; i++)
			configured_already = configured_already || names_same(out[i], *entry);
		if (lists_name(needs->environment, *entry) && !configured_already &&
			count < WORKER_ENVIRONMENT_MAX - 1)
			out[count++] = *entry;
	}
	out[count] = NULL;
}

const char *spawn_worker_variable(
	struct agent *agent, const struct ks_needs *needs, struct bytes name)
{
	char *environment[WORKER_ENVIRONMENT_MAX];

	build_environment(agent, needs, NULL, environment);
	for (char **entry = environment; *entry != NULL; entry++)
		if (strncmp(*entry, (const char *)name.data, name.len) == 0 &&
			(*entry)[name.len] == '=')
			return *entry + name.len + 1;
	return NULL;
}

static uv_stdio_container_t inherit(int fd)
{
	return (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fd};
}

static enum ks_error run(struct agent *agent, uv_process_t *process, uv_process_options_t *options)
{
	int result;

	/* Refused by libuv itself, which so leaves a handle that can be closed, as always. */
	if (children_room(&agent->children) != KS_OK)
		options->stdio[0] = inherit(-1);
	result = uv_spawn(&agent->loop, process, options);
	if (result == 0) {
		children_started(&agent->children, process->pid);
		return KS_OK;
	}
	log_error("cannot start %s: %s", options->file, uv_strerror(result));
	return KS_DEVICE_FAILED;
}

/* -1: its place stays empty. */
static uv_stdio_container_t inherit_any(int fd)
{
	return fd >= 0 ? inherit(fd) : (uv_stdio_container_t){.flags = UV_IGNORE};
}

enum ks_error spawn_worker(struct agent *agent, const struct ks_needs *needs,
	const struct spawn_worker *fds, uv_process_t *process, uv_exit_cb on_exit)
{
	char *environment[WORKER_ENVIRONMENT_MAX];
	AUTO(text) command = command_variable(agent, needs);
	AUTO(text) path = text_format("%s/keystile-worker-%s", paths_worker_folder, needs->name);
	char *arguments[] = {path, NULL};
	uv_stdio_container_t stdio[] = {inherit(agent->null_fd), inherit(fds->output_fd),
		inherit(fds->output_fd), inherit(fds->channel_fd)};
	uv_process_options_t options = {.exit_cb = on_exit,
		.file = path,
		.args = arguments,
		.env = environment,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 4,
		.stdio = stdio};

	if (path == NULL)
		return KS_NO_MEMORY;
	build_environment(agent, needs, command, environment);
	return run(agent, process, &options);
}

enum ks_error spawn_prompt(struct agent *agent, const struct spawn_prompt *fds,
	uv_process_t *process, uv_exit_cb on_exit)
{
	AUTO(text) path = text_format("%s/keystile-prompt", paths_worker_folder);
	char *arguments[] = {path, NULL};
	uv_stdio_container_t stdio[] = {inherit(fds->question_fd), inherit(agent->null_fd),
		inherit(fds->words_fd), inherit_any(fds->answer_fd), inherit_any(fds->terminal_fd)};
	uv_process_options_t options = {.exit_cb = on_exit,
		.file = path,
		.args = arguments,
		.env = surroundings_environment(&agent->surroundings),
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 5,
		.stdio = stdio};

	return path == NULL ? KS_NO_MEMORY : run(agent, process, &options);
}

/* The shell comes from the system; what it runs may lie on a file system that hangs. */
enum ks_error spawn_command(struct agent *agent, const struct spawn_command *what,
	uv_process_t *process, uv_exit_cb on_exit)
{
	char shell[] = "/bin/sh";
	char option[] = "-c";
	AUTO(text) command = strdup(what->command);
	char *arguments[] = {shell, option, command, NULL};
	uv_stdio_container_t stdio[] = {
		inherit(what->stream_fd), inherit(what->stream_fd), inherit(what->words_fd)};
	uv_process_options_t options = {.exit_cb = on_exit,
		.file = shell,
		.args = arguments,
		.env = surroundings_environment(&agent->surroundings),
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = stdio};

	if (command == NULL) /* libuv then refuses it, and leaves a handle that can be closed */
		options.stdio[0] = inherit(-1);
	return run(agent, process, &options);
}
