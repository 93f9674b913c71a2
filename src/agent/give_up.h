/*
 * What the agent has no use for, given up before it hears anybody. What it starts, the prompt
 * programs of the person among them, inherits all of it; so what those may need stays.
 */
#ifndef AGENT_GIVE_UP_H
#define AGENT_GIVE_UP_H

#include <stdbool.h>

struct given_up {
	bool privileges;   /* that set-id programs would give */
	bool system_calls; /* those that reach into other processes and into the kernel */
	bool capabilities; /* root's, but for what root's agent needs */
};

/* On the only thread that there is by then. What can't be given up is shown in the status. */
void agent_give_up(struct given_up *out);

#endif
