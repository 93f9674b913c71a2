/*
 * The user's service manager (systemd --user) and what it would give to services now: an agent that
 * it started at boot learns there of the desktop that came up later. Asked on another thread, as a
 * bus may hang, and for two seconds at most.
 */
#ifndef AGENT_USER_MANAGER_H
#define AGENT_USER_MANAGER_H

#include <uv.h>

#include "surroundings.h"

#define USER_MANAGER_WAIT_MS 2000

struct agent;
struct user_manager;

/*
 * Called on the loop when a run is over, never from within user_manager_ask(). trouble: why it said
 * nothing, static words, else NULL; values are the callee's to empty.
 */
typedef void user_manager_told(
	struct agent *agent, struct surroundings_values *values, const char *trouble);

/* NULL: out of memory. */
struct user_manager *user_manager_new(struct agent *agent, user_manager_told *told);
/*
 * Asks, unless it is being asked. bus is the session's, NULL: not known. False: it can't be asked,
 * and nobody is told.
 */
KS_MUST_CHECK bool user_manager_ask(struct user_manager *manager, const char *bus);
bool user_manager_asked(const struct user_manager *manager);
/* The loop has ended. False, and it stays: its thread still runs, so end without exit(). */
bool user_manager_free(struct user_manager **manager);

#endif
