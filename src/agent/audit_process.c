/*
 * See audit_process.h. Two short reads of /proc for each parent, so there are few.
 */
#include "audit_process.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define PARENTS_MAX 4

static json_t *executable_of(pid_t pid)
{
	char path[64];
	char target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	len = readlink(path, target, sizeof(target));
	return audit_path(BYTES((const uint8_t *)target, len > 0 ? (size_t)len : 0));
}

/* Nothing where the number is another process's by now, or nobody's. */
static json_t *parents_of(const struct peer *peer)
{
	json_t *parents = json_array();
	pid_t pid = peer->pid;

	if (pid <= 0 || peer->start_time == 0 || peer_start_time(pid) != peer->start_time)
		return parents;
	for (int i = 0; i < PARENTS_MAX; i++) {
		pid = peer_parent(pid);
		if (pid <= 1)
			break;
		json_array_append_new(parents, executable_of(pid));
	}
	return parents;
}

json_t *audit_process(const struct peer *peer, bool with_parents)
{
	json_t *process = json_pack("{s:i,s:o}", "pid", (int)peer->pid, "executable",
		audit_path(bytes_of(peer->executable)));

	if (with_parents && process != NULL &&
		json_object_set_new(process, "parents", parents_of(peer)) != 0) {
		json_decref(process);
		return NULL;
	}
	return process;
}
