/*
 * See prompt_path.h. An ssh forwards for one session, and nobody at its other end can start another
 * one here. Other programs that relay may be new processes each time, but are the same program. In
 * a container everything can be made up, names and processes alike, so all of a listener are one.
 */
#include "prompt_path.h"

#include <keystile/text.h>

#include "origin.h"

static bool is_stranger(const struct peer *peer)
{
	return peer->other_namespace || peer->pid <= 0 || peer->start_time == 0 ||
	       peer->executable[0] == '\0' || peer->executable_deleted;
}

char *prompt_path(const struct peer *peer, const char *listener)
{
	if (is_stranger(peer))
		return text_format("listener %s", listener);
	if (origin_peer_forwards_later(peer))
		return text_format(
			"process %d %llu", (int)peer->pid, (unsigned long long)peer->start_time);
	return text_format("program %s", peer->executable);
}
