/*
 * The agent's side of the control socket (include/keystile/control.h, docs/PROTOCOL.md). A
 * connection must first pass a descriptor; what is relayed can't, and gets no further.
 */
#ifndef AGENT_CONTROL_SERVER_H
#define AGENT_CONTROL_SERVER_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct agent;
struct control;

/* Takes fd. */
void control_accept(struct agent *agent, int fd);
/* See reload_done: answers those who asked for that run. */
void controls_reloaded(struct agent *agent, uint64_t run, const char *refusal);
/* Answers those who wait for the look that prompt_where_look() began. */
void controls_looked(struct agent *agent);
/* Of token_release_start(): takes the reference to what it is told. */
void control_released(struct control *control, json_t *object);
/* Of resident_load_start(), likewise. */
void control_loaded(struct control *control, json_t *object);
void controls_close(struct agent *agent);

/* Of the process that connected, 0 where it can't be seen. */
pid_t control_pid(const struct control *control);
/* Says something that was not asked for; drops it where what was said before is not read. Takes the
 * reference. */
void control_tell(struct control *control, json_t *object);
/* The last that it is told. */
void control_drop(struct control *control, json_t *object);

#endif
