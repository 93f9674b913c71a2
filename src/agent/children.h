/*
 * The processes that the agent started, and those it inherits: as a subreaper it becomes the parent
 * of what a worker leaves behind, so nothing that a worker started can pose as a program of the
 * person's.
 */
#ifndef AGENT_CHILDREN_H
#define AGENT_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include <keystile/error.h>

#define CHILDREN_MAX 512

struct agent;

struct children {
	pid_t pids[CHILDREN_MAX]; /* of handles that libuv waits for */
	unsigned count;
	uv_signal_t ended;
	uv_timer_t again; /* libuv's own had to be passed over */
	pid_t stranger;	  /* the last one that was found to be none of them */
	uint64_t stranger_start_time;
};

void children_init(struct agent *agent);
void children_deinit(struct agent *agent);
/* A process that libuv waits for; KS_BUSY when there are too many: it must not be started then. */
KS_MUST_CHECK enum ks_error children_room(const struct children *children);
void children_started(struct children *children, pid_t pid);
void children_ended(struct children *children, pid_t pid);
/*
 * The process was started by the agent or by something it started; also when that can't be known,
 * since the process has ended already. start_time as in struct peer.
 */
bool children_descends(struct children *children, pid_t pid, uint64_t start_time);

#endif
