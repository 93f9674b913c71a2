/*
 * A worker inherits what its backend's needs name of the environment and what is configured for it,
 * and nothing else, as when the agent starts it.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"

#define ENVIRONMENT_MAX 64
#define MOVED_MIN 16 /* above all numbers that a child knows its descriptors by */

/* A descriptor of ours, -1 for /dev/null, and the number that a child has it by. */
struct handed {
	int fd;
	int number;
};

static bool is_wanted(const char *entry, const char *const *names)
{
	for (; *names != NULL; names++) {
		size_t len = strlen(*names);

		if (strncmp(entry, *names, len) == 0 && entry[len] == '=')
			return true;
	}
	return false;
}

static bool has_name_of(char *const *entries, size_t count, const char *entry)
{
	const size_t len = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < count; i++)
		if (strncmp(entries[i], entry, len) == 0)
			return true;
	return false;
}

/* Those that have a name among the wanted which begins with the prefix, and none like it before. */
static size_t add_own(char **out, size_t count, const struct ks_needs *needs, const char *prefix)
{
	for (char **entry = environ; *entry != NULL && count < ENVIRONMENT_MAX - 1; entry++)
		if (strncmp(*entry, prefix, strlen(prefix)) == 0 &&
			is_wanted(*entry, needs->environment) && !has_name_of(out, count, *entry))
			out[count++] = *entry;
	return count;
}

static void build_environment(
	const struct ks_needs *needs, char *const *configured, char *out[static ENVIRONMENT_MAX])
{
	size_t count = add_own(out, 0, needs, "KEYSTILE_");

	for (; *configured != NULL && count < ENVIRONMENT_MAX - 1; configured++)
		if (!has_name_of(out, count, *configured))
			out[count++] = *configured;
	out[add_own(out, count, needs, "")] = NULL;
}

/* What is closed on exec here keeps a number in the child only by dup2(), to another number. */
static int spawn(const char *program, char *const *environment, const struct handed *handed,
	size_t count, pid_t *pid)
{
	AUTO(text) path = text_format("%s/%s", child_folder, program);
	char *arguments[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error = 0;

	if (path == NULL || posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	for (size_t i = 0; i < count; i++) {
		error = handed[i].fd < 0 ? posix_spawn_file_actions_addopen(&actions,
						   handed[i].number, "/dev/null", O_RDWR, 0)
					 : posix_spawn_file_actions_adddup2(
						   &actions, handed[i].fd, handed[i].number);
		if (error != 0)
			break;
	}
	if (error == 0)
		error = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static pid_t start(
	const char *program, char *const *environment, struct handed *handed, size_t count)
{
	pid_t pid = 0;
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++) {
		if (handed[i].fd < 0)
			continue;
		handed[i].fd = fcntl(handed[i].fd, F_DUPFD_CLOEXEC, MOVED_MIN);
		error = handed[i].fd < 0 ? errno : 0;
	}
	if (error == 0)
		error = spawn(program, environment, handed, count, &pid);
	for (size_t i = 0; i < count; i++)
		if (handed[i].fd >= MOVED_MIN)
			close(handed[i].fd);
	if (error == 0)
		return pid;
	if (error == ENOENT)
		complain("%s is not installed: there is no %s/%s", program, child_folder, program);
	else
		complain("%s can't be started: %s", program, strerror(error));
	return 0;
}

pid_t child_start_worker(const struct ks_needs *needs, char *const *configured, int fd)
{
	AUTO(text) program = text_format("keystile-worker-%s", needs->name);
	struct handed handed[] = {{-1, STDIN_FILENO}, {-1, STDOUT_FILENO}, {fd, 3}};
	char *environment[ENVIRONMENT_MAX];

	if (program == NULL)
		return 0;
	build_environment(needs, configured, environment);
	return start(program, environment, handed, sizeof(handed) / sizeof(handed[0]));
}

pid_t child_start_prompt(int question_fd, int pin_fd, int terminal_fd)
{
	struct handed handed[] = {
		{question_fd, STDIN_FILENO}, {-1, STDOUT_FILENO}, {pin_fd, 3}, {terminal_fd, 4}};

	return start("keystile-prompt", environ, handed, sizeof(handed) / sizeof(handed[0]));
}

/* False: it did not end in time. */
static bool await_end(pid_t pid, int patience_ms)
{
	AUTO(fd) process = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd end = {.fd = process, .events = POLLIN};
	int got;

	if (process < 0)
		return false;
	do {
		got = poll(&end, 1, patience_ms);
	} while (got < 0 && errno == EINTR);
	return got == 1;
}

int child_end(pid_t pid, int patience_ms)
{
	int status = 0;

	if (!await_end(pid, patience_ms))
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
