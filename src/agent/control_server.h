/*
 * The agent's side of the control socket (include/keystile/control.h, docs/PROTOCOL.md). A
 * connection must first pass a descriptor; what is relayed can't, and gets no further.
 */
#ifndef AGENT_CONTROL_SERVER_H
#define AGENT_CONTROL_SERVER_H

#include <stdint.h>

struct agent;

/* Takes fd. */
void control_accept(struct agent *agent, int fd);
/* See reload_done: answers those who asked for that run. */
void controls_reloaded(struct agent *agent, uint64_t run, const char *refusal);
/* Answers those who wait for the look that prompt_where_look() began. */
void controls_looked(struct agent *agent);
void controls_close(struct agent *agent);

#endif
