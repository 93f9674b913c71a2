/*
 * The configuration as the agent uses it: the defaults, the files it is read from, and the
 * questions that are asked of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "config.h"
#include "config_listener.h"
#include "config_provider.h"

#define USER_FILE "keystile/keystile.conf"

/* ssh-agent's own, see its -P. */
#define DEFAULT_PROVIDERS "/usr/lib*/*,/usr/local/lib*/*"
#define DEFAULT_OPERATION_TIMEOUT_MS 60000
#define DEFAULT_PROMPT_TIMEOUT_MS 120000
/* As long as screens take to lock: who works signs more often than that. */
#define DEFAULT_RELEASE_AFTER_S 600
#define DEFAULT_AUDIT_SIZE ((uint64_t)16 << 20)

/*
 * Programs whose connections carry what somebody elsewhere said: servers for remote shells, relays
 * of sockets, and the runtimes of containers and virtual machines.
 */
static const char *const default_relays[] = {
	"sshd",
	"sshd-*",
	"dropbear",
	"mosh-*",
	"et",
	"etserver",
	"etterminal",
	"tsh",
	"teleport",
	"tbot",
	"tailscaled",
	"socat*",
	"nc",
	"nc.*",
	"ncat",
	"netcat",
	"websocat",
	"stunnel*",
	"chisel",
	"waypipe",
	"systemd-socket-proxyd",
	"docker*",
	"containerd*",
	"buildkit*",
	"buildctl",
	"buildx",
	"buildah",
	"podman",
	"conmon",
	"rootlessport*",
	"slirp4netns",
	"gvproxy",
	"pasta*",
	"passt*",
	"lxc*",
	"lxd*",
	"incus*",
	"qemu-*",
	"vhost-device-*",
	"kubectl",
	"devcontainer",
	NULL,
};

char **config_list_copy(const char *const *from)
{
	size_t count = 0;

	while (from[count] != NULL)
		count++;

	char **list = calloc(count + 1, sizeof(*list));

	for (size_t i = 0; i < count && list != NULL; i++) {
		list[i] = strdup(from[i]);
		if (list[i] == NULL)
			config_list_free(&list);
	}
	return list;
}

void config_list_free(char ***list)
{
	for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
}

void config_deinit(struct config *config)
{
	for (size_t i = 0; i < config->worker_count; i++) {
		free(config->workers[i].name);
		config_list_free(&config->workers[i].environment);
		config_list_free(&config->workers[i].read);
		config_list_free(&config->workers[i].write);
		config_list_free(&config->workers[i].connect);
		config_list_free(&config->workers[i].commands);
	}
	free(config->workers);
	for (size_t i = 0; i < config->listener_count; i++)
		config_listener_deinit(&config->listeners[i]);
	free(config->listeners);
	for (size_t i = 0; i < config->provider_count; i++)
		config_provider_deinit(&config->providers[i]);
	free(config->providers);
	free(config->allowed_providers);
	free(config->askpass);
	free(config->pinentry);
	free(config->pinentry_terminal);
	policy_rules_deinit(&config->rules);
	config_list_free(&config->relays);
	*config = (struct config){0};
}

enum ks_error config_defaults(struct config *out)
{
	*out = (struct config){
		.allowed_providers = strdup(DEFAULT_PROVIDERS),
		.operation_timeout_ms = DEFAULT_OPERATION_TIMEOUT_MS,
		.prompt_timeout_ms = DEFAULT_PROMPT_TIMEOUT_MS,
		.release_after_s = DEFAULT_RELEASE_AFTER_S,
		.unbound_ssh_remote = true,
		.audit_size = DEFAULT_AUDIT_SIZE,
		.relays = config_list_copy(default_relays),
	};
	if (out->allowed_providers != NULL && out->relays != NULL)
		return KS_OK;
	config_deinit(out);
	return KS_NO_MEMORY;
}

/* ---- Files ---- */

static enum ks_error file_error(char **error, const char *path, const char *words)
{
	*error = text_format("%s: %s", path, words);
	return KS_BAD_INPUT;
}

/* Words for what makes a file unfit, NULL if nothing does. */
static const char *file_flaw(const struct stat *facts)
{
	if (!S_ISREG(facts->st_mode))
		return "not a regular file";
	if (facts->st_uid != 0 && facts->st_uid != geteuid())
		return "belongs to another user";
	if ((facts->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "can be written by others: chmod go-w it";
	if (facts->st_size > (off_t)CONFIG_FILE_MAX)
		return "longer than 1 MiB";
	return NULL;
}

/* Reads up to one byte more than may be, which config_parse() then refuses. */
static enum ks_error read_all(int fd, struct buf *text)
{
	while (text->len <= CONFIG_FILE_MAX) {
		size_t room = CONFIG_FILE_MAX + 1 - text->len;
		uint8_t *at = buf_reserve(text, room < 16384 ? room : 16384);

		if (at == NULL)
			return KS_NO_MEMORY;

		ssize_t got = read(fd, at, room < 16384 ? room : 16384);

		if (got == 0)
			return KS_OK;
		if (got < 0 && errno != EINTR)
			return KS_BAD_INPUT;
		text->len += got > 0 ? (size_t)got : 0;
	}
	return KS_OK;
}

/* KS_NO_KEY: there is no such file. */
static enum ks_error read_file(const char *path, struct buf *text, char **error)
{
	AUTO(fd)
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat facts;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return KS_NO_KEY;
	if (fd < 0 || fstat(fd, &facts) < 0)
		return file_error(error, path, strerror(errno));

	const char *flaw = file_flaw(&facts);

	if (flaw != NULL)
		return file_error(error, path, flaw);

	enum ks_error outcome = read_all(fd, text);

	return outcome == KS_BAD_INPUT ? file_error(error, path, strerror(errno)) : outcome;
}

enum ks_error config_load(const char *path, struct config *config, char **error)
{
	AUTO(buf)
	text = {0};

	*error = NULL;
	buf_init(&text, CONFIG_FILE_MAX + 1);

	enum ks_error outcome = read_file(path, &text, error);

	if (outcome == KS_NO_KEY)
		return KS_OK;
	if (outcome != KS_OK)
		return outcome;
	return config_parse(buf_bytes(&text), path, config, error);
}

enum ks_error config_load_all(const char *system_path, struct config *out, char **error)
{
	AUTO(text)
	user_path = config_user_path();
	enum ks_error outcome = config_defaults(out);

	*error = NULL;
	if (outcome == KS_OK)
		outcome = config_load(system_path, out, error);
	if (outcome == KS_OK && user_path != NULL)
		outcome = config_load(user_path, out, error);
	if (outcome != KS_OK)
		config_deinit(out);
	return outcome;
}

static enum ks_error load_only(const char *path, struct config *out, char **error)
{
	enum ks_error outcome = config_defaults(out);

	*error = NULL;
	if (outcome == KS_OK)
		outcome = config_load(path, out, error);
	if (outcome != KS_OK)
		config_deinit(out);
	return outcome;
}

enum ks_error config_load_files(const struct config_files *files, struct config *out, char **error)
{
	if (files->only != NULL)
		return load_only(files->only, out, error);
	return config_load_all(files->system, out, error);
}

char *config_user_path(void)
{
	/* Not those of whoever ran a set-id agent. */
	const char *folder = secure_getenv("XDG_CONFIG_HOME");
	const char *home = secure_getenv("HOME");

	if (folder != NULL && folder[0] == '/')
		return text_format("%s/%s", folder, USER_FILE);
	if (home == NULL || home[0] != '/') {
		const struct passwd *user = getpwuid(getuid());

		home = user != NULL ? user->pw_dir : NULL;
	}
	return home != NULL ? text_format("%s/.config/%s", home, USER_FILE) : NULL;
}

/* ---- Questions ---- */

bool config_is_relay(const struct config *config, const char *executable)
{
	const char *slash = strrchr(executable, '/');
	const char *name = slash != NULL ? slash + 1 : executable;

	for (size_t i = 0; config->relays != NULL && config->relays[i] != NULL; i++) {
		const char *pattern = config->relays[i];

		if (text_match(pattern[0] == '/' ? executable : name, pattern))
			return true;
	}
	return false;
}

const struct config_worker *config_worker(const struct config *config, const char *backend)
{
	for (size_t i = 0; i < config->worker_count; i++) {
		if (strcmp(config->workers[i].name, backend) == 0)
			return &config->workers[i];
	}
	return NULL;
}

char *const *config_worker_environment(const struct config *config, const char *backend)
{
	static char *const nothing[] = {NULL};
	const struct config_worker *worker = config_worker(config, backend);

	return worker != NULL ? worker->environment : nothing;
}
