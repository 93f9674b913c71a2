/*
 * `keystile fido load`: what is resident on the security keys that are plugged in is read, with the
 * PIN of each, for which the agent asks as always.
 */
#ifndef AGENT_RESIDENT_LOAD_H
#define AGENT_RESIDENT_LOAD_H

#include <jansson.h>

struct agent;
struct control;
struct resident_load;

/*
 * Starts it for the control connection that asked, which control_loaded() tells of the end, never
 * from within; request may name the one token that is meant. NULL when it can't even begin.
 */
struct resident_load *resident_load_start(
	struct agent *agent, struct control *control, const json_t *request);
/* Who asked has gone: nobody is asked any more. */
void resident_load_abandon(struct resident_load *load);

#endif
