/*
 * Who is at the other end of a local socket: the process, as the kernel and /proc tell
 * it at the moment of the accept. Names of processes are advice against honest programs,
 * not a defence against malware with the same uid (docs/SECURITY.md).
 */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <keystile/error.h>

struct peer {
	pid_t pid; /* 0 where the peer is in a pid namespace that we can't see into */
	uid_t uid;
	uint64_t start_time;  /* clock ticks since boot, of /proc/PID/stat; 0 unknown */
	char *executable;     /* path, "" where it can't be read; owned */
	bool other_namespace; /* another mount, pid or user namespace than ours, or another root */
	bool forked; /* it goes on with the program of the process that it was forked from */
	bool executable_deleted;
	int folder; /* its /proc/PID, once it was looked at again and kept; else -1 */
};

/* Fills *peer from the connected socket. KS_NOT_ALLOWED where not even the uid can be known. */
KS_MUST_CHECK enum ks_error peer_read(int fd, struct peer *peer);
void peer_deinit(struct peer *peer);
/*
 * The process is still the one that peer_read() saw: same start time, same executable, and it has
 * not ended. To keep its folder of /proc open makes this much cheaper the next time.
 */
bool peer_unchanged(struct peer *peer, bool keep);
/* The last part of the executable's path; never NULL. */
const char *peer_program(const struct peer *peer);
/* The parent of a process, 0 where it has none that we can see, -1 when it is not there. */
pid_t peer_parent(pid_t pid);
/* start time of a process as in struct peer; 0 when it is not there */
uint64_t peer_start_time(pid_t pid);

#endif
