/*
 * Looking at a known_hosts file, on another thread: it may lie on a file system that hangs.
 */
#ifndef AGENT_KNOWN_HOSTS_LOOK_H
#define AGENT_KNOWN_HOSTS_LOOK_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#include "known_hosts_index.h"

/* By which a changed file is told from one that was read. */
struct known_hosts_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed, modified;
};

struct known_hosts_look {
	const char *path;
	struct known_hosts_stamp stamp; /* in: of what was read before; out: of what is there */
	bool unchanged;
	struct known_hosts_index *index;
	int trouble; /* errno, or 0 */
};

/* Fills in what is behind path and stamp; the index is the caller's. */
void known_hosts_look(struct known_hosts_look *look);

#endif
