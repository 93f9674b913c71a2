/*
 * A socket on which clients connect. Accepting pauses while as many connections are open
 * as descriptors allow, and goes on when one closes.
 */
#ifndef AGENT_LISTENER_H
#define AGENT_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include <keystile/error.h>

#include "config.h"

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
	char *name;  /* for rules and for people: "agent", "remote", "control", or as configured */
	char **keys; /* patterns of those that are for its clients, ended by NULL; NULL: all */
	enum config_comments comments;
	uv_poll_t poll;
	uv_timer_t retry; /* while there are no descriptors left */
	unsigned handles;
	int fd;
	char *path;   /* NULL: activated from outside */
	dev_t device; /* of what lies at path: removed at the end as long as it is still that */
	ino_t inode;
	bool paused;
	bool told; /* that it paused, since connections were last accepted at ease */
};

struct listener_wish {
	enum listener_kind kind;
	int fd;				       /* listens already */
	const char *path;		       /* NULL: the socket is not ours to remove */
	const struct config_listener *section; /* NULL: one of those that are always there */
};

/* Takes the descriptor, unless it fails; copies everything else. */
KS_MUST_CHECK enum ks_error listener_add(struct agent *agent, const struct listener_wish *wish);
/* NULL: there is none of that name. */
const struct listener *listener_named(const struct agent *agent, const char *name);
/* A connection has closed: accept again where that was paused. */
void listeners_resume(struct agent *agent);
/* Stops listening and removes the sockets. */
void listeners_close(struct agent *agent);

#endif
