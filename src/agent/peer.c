/*
 * Reads a peer's identity from SO_PEERCRED and /proc. Nothing here trusts the text it
 * reads: names may hold newlines and parentheses, entries may vanish between two reads.
 */
#include "peer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#define STAT_MAX 1024
#define DELETED " (deleted)"

/* The fields after the command's name, which is in parentheses and may hold anything. */
static const char *read_stat(pid_t pid, char text[static STAT_MAX])
{
	char path[64];
	ssize_t got;
	const char *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	got = read(fd, text, STAT_MAX - 1);
	close(fd);
	if (got <= 0)
		return NULL;
	text[got] = '\0';
	end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' ? end + 2 : NULL;
}

/* Field of /proc/PID/stat by its number in proc(5), from 3 (state) on. */
static uint64_t stat_field(pid_t pid, int number)
{
	char text[STAT_MAX];
	const char *at = read_stat(pid, text);

	for (int field = 3; at != NULL && field < number; field++) {
		at = strchr(at, ' ');
		if (at != NULL)
			at++;
	}
	return at == NULL ? 0 : strtoull(at, NULL, 10);
}

uint64_t peer_start_time(pid_t pid)
{
	return stat_field(pid, 22);
}

pid_t peer_parent(pid_t pid)
{
	return (pid_t)stat_field(pid, 4);
}

static bool read_executable(pid_t pid, char out[static PATH_MAX])
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	len = readlink(path, out, PATH_MAX - 1);
	out[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static bool same_namespace(pid_t pid, const char *kind)
{
	char path[64];
	struct stat theirs;
	struct stat ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	if (stat(path, &theirs) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (stat(path, &ours) != 0)
		return false;
	return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

enum ks_error peer_read(int fd, struct peer *peer)
{
	char executable[PATH_MAX] = "";
	struct ucred credentials;
	socklen_t len = sizeof(credentials);

	*peer = (struct peer){.pidfd = -1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
		return KS_NOT_ALLOWED;
	peer->pid = credentials.pid;
	peer->uid = credentials.uid;
	if (peer->pid > 0)
		read_executable(peer->pid, executable);
	peer->executable = strdup(executable);
	if (peer->executable == NULL)
		return KS_NO_MEMORY;
	if (peer->pid <= 0)
		return KS_OK;
	peer->start_time = peer_start_time(peer->pid);
	peer->executable_deleted = ends_with(peer->executable, DELETED);
	peer->other_namespace = !same_namespace(peer->pid, "mnt") ||
				!same_namespace(peer->pid, "pid") ||
				!same_namespace(peer->pid, "user");
	return KS_OK;
}

void peer_deinit(struct peer *peer)
{
	free(peer->executable);
	if (peer->pidfd >= 0)
		close(peer->pidfd);
	*peer = (struct peer){.pidfd = -1};
}

static bool has_ended(int pidfd)
{
	struct pollfd process = {.fd = pidfd, .events = POLLIN};

	return poll(&process, 1, 0) != 0;
}

/*
 * A pidfd that is opened before the start time is compared names the process that was seen. Where
 * there is none (no descriptor left, valgrind) the start time is compared every time.
 */
static bool still_runs(struct peer *peer)
{
	if (peer->pidfd < 0) {
		AUTO(fd) pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);

		if (peer->start_time == 0 || peer_start_time(peer->pid) != peer->start_time)
			return false;
		peer->pidfd = TAKE_FD(pidfd);
	}
	return peer->pidfd < 0 || !has_ended(peer->pidfd);
}

bool peer_unchanged(struct peer *peer)
{
	char executable[PATH_MAX];

	return peer->pid > 0 && still_runs(peer) && read_executable(peer->pid, executable) &&
	       strcmp(executable, peer->executable) == 0;
}

const char *peer_program(const struct peer *peer)
{
	const char *slash = strrchr(peer->executable, '/');

	return slash != NULL ? slash + 1 : peer->executable;
}
