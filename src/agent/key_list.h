/*
 * The answer to "which keys are there?": which ones, in which order, and how many of them.
 */
#ifndef AGENT_KEY_LIST_H
#define AGENT_KEY_LIST_H

#include <keystile/buffer.h>

struct agent;
struct connection;

/* Puts the whole message; of a locked agent it has no keys, but see lock_hides_keys(). */
void key_list_put(const struct connection *connection, struct buf *reply);
/* How many of all keys are too many for one list. */
unsigned key_list_left_out(const struct agent *agent);

#endif
