/*
 * ssh-add -x and -X: while the agent is locked it lists nothing and refuses everything but binds
 * and the unlocking; with when-locked = list, connections of this machine see the keys, and their
 * signatures wait for the person to unlock it (unlock_wait.h). The password is kept as a scrypt
 * hash only. Attempts go one at a time (lock_attempt.h), and a wrong one is answered later each
 * time: 0.1 s for each wrong one so far, up to 10 s (CONFORMANCE: lock).
 *
 * A client that goes away stops neither the clock nor the count. Its lock takes effect all the
 * same, its unlock does not.
 */
#ifndef AGENT_LOCK_H
#define AGENT_LOCK_H

#include <keystile/buffer.h>

#include "lock_attempt.h"

struct connection;

/* NULL when out of memory. */
struct lock *lock_new(struct agent *agent);
/* The agent ends: what is in work is abandoned; the memory goes later, in the loop. NULL is fine.
 */
void lock_close(struct lock *lock);
bool lock_locked(const struct lock *lock);
/* Whether the agent is locked and this connection must not see that it has keys. */
bool lock_hides_keys(const struct connection *connection);
/*
 * Why the agent, which is locked, is not to be unlocked for a signature on this connection, static;
 * NULL where the person may be asked.
 */
const char *lock_bars(const struct connection *connection);
/* Wrong passwords since the last right one. */
unsigned lock_failures(const struct lock *lock);
/* Handlers of messages 22 and 23: of the body nothing is needed after they return. */
void lock_begin(struct connection *connection, struct bytes body);
void lock_begin_unlock(struct connection *connection, struct bytes body);
/*
 * Tries what the person typed for the agent, as message 23 is tried. KS_BAD_INPUT: it is empty.
 * KS_BUSY: too many wait. *out is set before answered() is called, which may be from within, where
 * it can't be tried. Where attempt_leave() comes first, it unlocks nothing.
 */
KS_MUST_CHECK enum ks_error lock_try_typed(struct lock *lock, struct bytes password,
	attempt_answered *answered, void *owner, struct attempt **out);

#endif
