/*
 * The ssh processes that have had a connection: an honest ssh logs in over its first one, and
 * what it opens later carries the bytes of a host that it forwards the agent to.
 */
#ifndef AGENT_SSH_SEEN_H
#define AGENT_SSH_SEEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <keystile/error.h>

struct ssh_seen_entry {
	pid_t pid;
	uint64_t start_time;
};

/* Zeroed is empty. */
struct ssh_seen {
	struct ssh_seen_entry *entries;
	unsigned count;
	unsigned capacity;
};

/*
 * True when this process was seen before, also when that can't be known any more (out of memory):
 * the answer that is safe. Remembers it.
 */
bool ssh_seen_before(struct ssh_seen *seen, pid_t pid, uint64_t start_time);
void ssh_seen_deinit(struct ssh_seen *seen);

#endif
