/*
 * The agent's life: from sockets and settings to the end of its event loop.
 */
#ifndef AGENT_AGENT_RUN_H
#define AGENT_AGENT_RUN_H

#include "activation.h"
#include "agent.h"
#include "socket_place.h"

struct options;

struct agent_start {
	struct settings settings;
	struct config *config;	       /* taken */
	struct socket_place *place;    /* taken; NULL when activated */
	struct activation *activation; /* taken; NULL when not activated */
	pid_t parent;		       /* the command whose end is ours too; 0: none */
	bool daemon;		       /* SIGINT is ignored */
	/* Called once all sockets are there, before anybody is served; may be NULL. */
	void (*ready)(const struct agent_start *start);
	int ready_fd;		       /* for ready(): how the parent hears of it */
	const struct options *options; /* for ready(): how it is printed */
};

/* Runs until it is told to stop; the exit status. */
int agent_run(struct agent_start *start);

#endif
