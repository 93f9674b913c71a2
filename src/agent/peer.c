/*
 * Reads a peer's identity from SO_PEERCRED and /proc. Nothing here trusts the text it
 * reads: names may hold newlines and parentheses, entries may vanish between two reads.
 */
#include "peer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
	AUTO(fd) folder = -1;

	*peer = (struct peer){.folder = -1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
		return KS_NOT_ALLOWED;
	peer->pid = credentials.pid;
	peer->uid = credentials.uid;
	if (peer->pid > 0)
		folder = open_folder(peer->pid);
	if (folder >= 0)
		read_executable(folder, executable);
	peer->executable = strdup(executable);
	if (peer->executable == NULL)
		return KS_NO_MEMORY;
	if (peer->pid <= 0)
		return KS_OK;
	peer->start_time = peer_start_time(peer->pid);
	peer->executable_deleted = ends_with(peer->executable, DELETED);
	peer->other_namespace = !same_namespace(folder, "mnt") || !same_namespace(folder, "pid") ||
				!same_namespace(folder, "user");
	return KS_OK;
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
