/*
 * By what way the person would be asked now, and the look for a display that comes first where none
 * is known but what the user's service manager says.
 */
#ifndef AGENT_PROMPT_WHERE_H
#define AGENT_PROMPT_WHERE_H

#include <stdint.h>
#include <sys/types.h>

#include "prompt_way.h"
#include "surroundings.h"

struct agent;

/* A process of this machine on whose behalf the person is asked; pid 0: none. */
struct prompt_asker {
	pid_t pid;
	uint64_t start_time;
};

/* asker may be NULL. */
struct prompt_way_choice prompt_where(
	const struct agent *agent, enum prompt_kind kind, const struct prompt_asker *asker);
/*
 * True: the manager is being asked, and prompts_looked() and controls_looked() come later. False:
 * there is nothing to be learnt, as another source has said where the display is, the way needs
 * none, or nobody can be asked.
 */
KS_MUST_CHECK bool prompt_where_look(struct agent *agent, enum prompt_kind kind);
/* See user_manager_told. */
void prompt_where_told(
	struct agent *agent, struct surroundings_values *values, const char *trouble);

#endif
