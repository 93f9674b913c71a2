/*
 * ssh-add -x and -X: while the agent is locked it lists nothing and refuses everything but binds
 * and the unlocking. The password is kept as a scrypt hash only; deriving it takes its time on
 * another thread, one at a time, and a wrong one is answered later each time (CONFORMANCE: lock).
 */
#ifndef AGENT_LOCK_H
#define AGENT_LOCK_H

#include <uv.h>

#include <keystile/buffer.h>

struct agent;
struct connection;
struct lock;

/* NULL when out of memory. */
struct lock *lock_new(struct agent *agent);
/* The agent ends: what is in work is abandoned; the memory goes later, in the loop. */
void lock_close(struct lock *lock);
bool lock_locked(const struct lock *lock);
/* Handlers of messages 22 and 23: the body is copied to locked memory before they return. */
void lock_begin(struct connection *connection, struct bytes body);
void lock_begin_unlock(struct connection *connection, struct bytes body);

#endif
