/*
 * A small table of pid and start time. It is rid of processes that have ended whenever it is
 * full, so it grows with the number of living ssh processes only.
 */
#include "ssh_seen.h"

#include <stdlib.h>

#include "peer.h"

#define FIRST_CAPACITY 64

static void drop_ended(struct ssh_seen *seen)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < seen->count; i++)
		if (peer_start_time(seen->entries[i].pid) == seen->entries[i].start_time)
			seen->entries[kept++] = seen->entries[i];
	seen->count = kept;
}

static bool make_room(struct ssh_seen *seen)
{
	unsigned capacity = seen->capacity == 0 ? FIRST_CAPACITY : 2 * seen->capacity;
	struct ssh_seen_entry *entries;

	if (seen->count < seen->capacity)
		return true;
	drop_ended(seen);
	if (seen->count < seen->capacity / 2)
		return true;
	entries = reallocarray(seen->entries, capacity, sizeof(*entries));
	if (entries == NULL)
		return false;
	seen->entries = entries;
	seen->capacity = capacity;
	return true;
}

bool ssh_seen_before(struct ssh_seen *seen, pid_t pid, uint64_t start_time)
{
	for (unsigned i = 0; i < seen->count; i++)
		if (seen->entries[i].pid == pid && seen->entries[i].start_time == start_time)
			return true;
	if (!make_room(seen))
		return true;
	seen->entries[seen->count++] = (struct ssh_seen_entry){pid, start_time};
	return false;
}

void ssh_seen_deinit(struct ssh_seen *seen)
{
	free(seen->entries);
	*seen = (struct ssh_seen){0};
}
