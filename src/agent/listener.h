/*
 * A socket on which clients connect. Accepting pauses while as many connections are open
 * as descriptors allow, and goes on when one closes.
 */
#ifndef AGENT_LISTENER_H
#define AGENT_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#include <keystile/error.h>

struct agent;

enum listener_kind {
	LISTENER_AGENT,	  /* clients of this machine */
	LISTENER_REMOTE,  /* every connection is remote */
	LISTENER_CONTROL, /* `keystile` */
};

/* Lives until the agent ends, longer than its connections. */
struct listener {
	struct listener *next;
	struct agent *agent;
	enum listener_kind kind;
	const char *name; /* for rules and for people: "agent", "remote", "control" */
	uv_poll_t poll;
	uv_timer_t retry; /* while there are no descriptors left */
	unsigned handles;
	int fd;
	char *path; /* unlinked at the end where it is ours; NULL: activated from outside */
	bool paused;
	bool told; /* that it paused, since connections were last accepted at ease */
};

/* Takes fd, which listens already; path is copied, NULL where the socket is not ours to remove. */
KS_MUST_CHECK enum ks_error listener_add(
	struct agent *agent, enum listener_kind kind, int fd, const char *path);
/* A connection has closed: accept again where that was paused. */
void listeners_resume(struct agent *agent);
/* Stops listening and removes the sockets. */
void listeners_close(struct agent *agent);

#endif
