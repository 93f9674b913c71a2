/*
 * Reads a peer's identity from SO_PEERCRED and /proc. Nothing here trusts the text it
 * reads: names may hold newlines and parentheses, entries may vanish between two reads.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#define STAT_MAX 1024
#define DELETED " (deleted)"

#ifndef SO_PEERPIDFD /* Linux 6.5, Debian 12's headers are older */
#define SO_PEERPIDFD 77
#endif

/* Of the flags in /proc/PID/stat: forked, and no exec since (PF_FORKNOEXEC of the kernel). */
#define FLAG_FORKED 0x40U

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

/* Field of /proc/PID/stat by its number in proc(5), from 3 (state) on. False: no such process. */
static bool stat_field(pid_t pid, int number, uint64_t *value)
{
	char text[STAT_MAX];
	const char *at = read_stat(pid, text);

	for (int field = 3; at != NULL && field < number; field++) {
		at = strchr(at, ' ');
		if (at != NULL)
			at++;
	}
	*value = at == NULL ? 0 : strtoull(at, NULL, 10);
	return at != NULL;
}

uint64_t peer_start_time(pid_t pid)
{
	uint64_t ticks;

	return stat_field(pid, 22, &ticks) ? ticks : 0;
}

pid_t peer_parent(pid_t pid)
{
	uint64_t parent;

	return stat_field(pid, 4, &parent) ? (pid_t)parent : -1;
}

/* Of /proc, or -1: what is in it goes with the process, whoever gets its number next. */
static int open_folder(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool read_executable(int folder, char out[static PATH_MAX])
{
	ssize_t len = readlinkat(folder, "exe", out, PATH_MAX - 1);

	out[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static bool same_namespace(int folder, const char *kind)
{
	char path[64];
	struct stat theirs;
	struct stat ours;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (stat(path, &ours) != 0 ||
		fstatat(folder, path + strlen("/proc/self/"), &theirs, 0) != 0)
		return false;
	return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

/* In a chroot a path is not what it is here. */
static bool same_root(int folder)
{
	char root[2];

	return readlinkat(folder, "root", root, sizeof(root)) == 1 && root[0] == '/';
}

/* -1 where the kernel can't, or where the process is not there any more: *gone says which. */
static int peer_process(int fd, bool *gone)
{
	int process = -1;
	socklen_t len = sizeof(process);

	*gone = false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &len) == 0)
		return process;
	*gone = errno != ENOPROTOOPT;
	return -1;
}

/* Only while it lives is a number sure to be that of the process that connected. */
static bool has_ended(int process)
{
	struct pollfd end = {.fd = process, .events = POLLIN};

	return process >= 0 && poll(&end, 1, 0) != 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

/* What /proc has under the number, whoever that is by now. */
static void look_up(struct peer *peer, char executable[static PATH_MAX])
{
	AUTO(fd) folder = open_folder(peer->pid);
	uint64_t flags;

	if (folder < 0 || !read_executable(folder, executable))
		return;
	peer->start_time = peer_start_time(peer->pid);
	peer->executable_deleted = ends_with(executable, DELETED);
	peer->other_namespace = !same_namespace(folder, "mnt") || !same_namespace(folder, "pid") ||
				!same_namespace(folder, "user") || !same_root(folder);
	peer->forked = !stat_field(peer->pid, 9, &flags) || (flags & FLAG_FORKED) != 0;
}

enum ks_error peer_read(int fd, struct peer *peer)
{
	char executable[PATH_MAX] = "";
	struct ucred credentials;
	socklen_t len = sizeof(credentials);
	bool gone;
	AUTO(fd) process = peer_process(fd, &gone);

	*peer = (struct peer){.folder = -1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
		return KS_NOT_ALLOWED;
	peer->pid = credentials.pid;
	peer->uid = credentials.uid;
	if (peer->pid > 0 && !gone)
		look_up(peer, executable);
	if (has_ended(process))
		executable[0] = '\0';
	peer->executable = strdup(executable);
	return peer->executable == NULL ? KS_NO_MEMORY : KS_OK;
}

void peer_deinit(struct peer *peer)
{
	free(peer->executable);
	if (peer->folder >= 0)
		close(peer->folder);
	*peer = (struct peer){.folder = -1};
}

/* One that is opened before the start time is compared is that of the process that was seen. */
static int open_folder_again(const struct peer *peer)
{
	AUTO(fd) folder = peer->pid > 0 ? open_folder(peer->pid) : -1;

	if (folder < 0 || peer->start_time == 0 || peer_start_time(peer->pid) != peer->start_time)
		return -1;
	return TAKE_FD(folder);
}

bool peer_unchanged(struct peer *peer, bool keep)
{
	char executable[PATH_MAX];
	AUTO(fd) opened = peer->folder < 0 ? open_folder_again(peer) : -1;
	int folder = peer->folder < 0 ? opened : peer->folder;
	bool unchanged = folder >= 0 && read_executable(folder, executable) &&
			 strcmp(executable, peer->executable) == 0;

	if (keep && opened >= 0)
		peer->folder = TAKE_FD(opened);
	return unchanged;
}

const char *peer_program(const struct peer *peer)
{
	const char *slash = strrchr(peer->executable, '/');

	return slash != NULL ? slash + 1 : peer->executable;
}
