/*
 * See output.h.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <keystile/buffer.h>
#include <keystile/cleanup.h>

#define PATIENCE_MS 2000
#define OUTPUT_MAX ((size_t)64 * 1024)

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pid_t start(char *const command[], int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	bool started;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return 0;
	started = posix_spawn_file_actions_addopen(
			  &actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
		  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0 &&
		  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO) == 0 &&
		  posix_spawnp(&pid, command[0], &actions, NULL, command, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	return started ? pid : 0;
}

/* Until the other end is closed; false: too late or too long. */
static bool read_all(int fd, struct buf *said)
{
	int64_t deadline = now_ms() + PATIENCE_MS;
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	for (;;) {
		uint8_t piece[4096];
		int64_t left = deadline - now_ms();
		ssize_t got;

		if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
			return false;
		got = read(fd, piece, sizeof(piece));
		if (got <= 0)
			return got == 0;
		buf_put(said, BYTES(piece, (size_t)got));
		if (buf_status(said) != KS_OK)
			return false;
	}
}

char *output_of(char *const command[])
{
	AUTO(buf) said = {.max = OUTPUT_MAX};
	int ends[2], status = -1;
	bool whole;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return NULL;
	pid = start(command, ends[1]);
	close(ends[1]);
	whole = pid > 0 && read_all(ends[0], &said);
	close(ends[0]);
	if (pid > 0 && !whole)
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return NULL;
	return strndup(said.len > 0 ? (const char *)said.data : "", said.len);
}
