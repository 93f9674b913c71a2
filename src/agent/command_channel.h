/*
 * Between a broker's thread, which asks for a command to be started, and the event loop, which
 * starts it: a socket, so that neither touches the other's memory, and what one of them leaves
 * behind ends with it. One byte asks; the answer is an error or a descriptor.
 */
#ifndef AGENT_COMMAND_CHANNEL_H
#define AGENT_COMMAND_CHANNEL_H

#include <stdbool.h>

/* Both ends, the caller's. */
bool command_channel_open(int *loop_end, int *broker_end);
/*
 * For the broker: waits for the event loop, which never waits itself. A descriptor, or a negative
 * error of connect(2).
 */
int command_channel_ask(int end, unsigned number);
/* For the event loop: 1 and which one is asked for, 0 where nobody will ask any more, -1 not now.
 */
int command_channel_asked(int end, unsigned *number);
/* fd, which is taken, or a negative error. */
void command_channel_answer(int end, int fd);

#endif
