/*
 * The agent's side of the control socket (include/keystile/control.h, docs/PROTOCOL.md). A
 * connection must first pass a descriptor; what is relayed can't, and gets no further.
 */
#ifndef AGENT_CONTROL_SERVER_H
#define AGENT_CONTROL_SERVER_H

struct agent;

/* Takes fd. */
void control_accept(struct agent *agent, int fd);
void controls_close(struct agent *agent);

#endif
