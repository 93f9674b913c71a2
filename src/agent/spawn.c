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

/* Borrowed entries, ended by NULL; what is configured goes before what is inherited. */
static void build_environment(
	struct agent *agent, const struct ks_needs *needs, char *out[WORKER_ENVIRONMENT_MAX])
{
	char *const *configured = config_worker_environment(&agent->config, needs->name);
	char *const *entry;
	size_t count = 0;

	for (entry = configured; *entry != NULL && count < WORKER_ENVIRONMENT_MAX - 1; entry++)
		out[count++] = *entry;
	for (entry = agent->settings.environment; *entry != NULL; entry++) {
		const char *const *name = needs->environment;
		bool configured_already = false;

		while (*name != NULL && !starts_with_name(*entry, *name))
			name++;
		for (size_t i = 0; i < count; i++)
			configured_already = configured_already || names_same(out[i], *entry);
		if (*name != NULL && !configured_already && count < WORKER_ENVIRONMENT_MAX - 1)
			out[count++] = *entry;
	}
	out[count] = NULL;
}

const char *spawn_worker_variable(
	struct agent *agent, const struct ks_needs *needs, struct bytes name)
{
	char *environment[WORKER_ENVIRONMENT_MAX];

	build_environment(agent, needs, environment);
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
	build_environment(agent, needs, environment);
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
