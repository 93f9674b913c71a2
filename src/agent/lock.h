/*
 * ssh-add -x and -X: while the agent is locked it lists nothing and refuses everything but binds
 * and the unlocking. The password is kept as a scrypt hash only; deriving it takes its time on
 * another thread, one at a time, and a wrong one is answered later each time (CONFORMANCE: lock).
 *
 * An attempt's life:
 *
 *   waiting ──▶ its turn ──▶ derived ─┬─▶ right: answered at once
 *                                     └─▶ wrong: 0.1 s for each wrong one so far, up to 10 s, then
 *                                         answered; only then comes the next one's turn
 *
 * A client that goes away stops neither the clock nor the count. Its lock takes effect all the
 * same, its unlock does not.
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
/* The agent ends: what is in work is abandoned; the memory goes later, in the loop. NULL is fine.
 */
void lock_close(struct lock *lock);
bool lock_locked(const struct lock *lock);
/* Wrong passwords since the last right one. */
unsigned lock_failures(const struct lock *lock);
/* Handlers of messages 22 and 23: of the body nothing is needed after they return. */
void lock_begin(struct connection *connection, struct bytes body);
void lock_begin_unlock(struct connection *connection, struct bytes body);

#endif
