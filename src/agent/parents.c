/*
 * See parents.h. Two short reads of /proc for each parent, so there are few.
 */
#include "parents.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *executable_of(pid_t pid)
{
	char path[64];
	char target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	len = readlink(path, target, sizeof(target));
	return strndup(target, len > 0 ? (size_t)len : 0);
}

void parents_read(struct parents *parents, const struct peer *peer)
{
	pid_t pid = peer->pid;

	*parents = (struct parents){0};
	if (pid <= 0 || peer->start_time == 0 || peer_start_time(pid) != peer->start_time)
		return;
	while (parents->count < PARENTS_MAX) {
		pid = peer_parent(pid);
		if (pid <= 1)
			return;
		parents->executables[parents->count] = executable_of(pid);
		if (parents->executables[parents->count] == NULL)
			return;
		parents->count++;
	}
}

void parents_deinit(struct parents *parents)
{
	for (size_t i = 0; i < parents->count; i++)
		free(parents->executables[i]);
	*parents = (struct parents){0};
}
