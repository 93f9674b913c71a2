/*
 * Changes to the keys that clients add: into a worker's memory and out of it. They go to a
 * provider's worker one after the other, so that agent and worker never disagree about which keys
 * there are, whoever asked for them. Who asked may leave meanwhile: a change that was begun is
 * finished all the same.
 */
#ifndef AGENT_KEY_CHANGE_H
#define AGENT_KEY_CHANGE_H

#include "keyring.h"

struct agent;
struct key_change;

/* Called once, later, never from within the call that began it. words are borrowed. */
typedef void key_changed(void *owner, enum ks_error error, struct bytes words);

/*
 * A key that a client added: the reading end of a pipe that holds its private part (taken in any
 * case), and what the agent has to know of it (copied). The provider takes keys and is READY. NULL
 * when out of memory.
 */
struct key_change *key_change_add(struct provider *provider, int fd,
	const struct key_addition *addition, key_changed *changed, void *owner);
/* How many are there or on their way that may have been relayed. */
unsigned key_changes_count_from_afar(const struct agent *agent);
/*
 * Removes it from the keyring at once and from the worker in its turn. changed may be NULL. NULL
 * when there is no memory to go on in order: its worker, and all it holds, is ended then.
 */
struct key_change *key_change_remove(struct key *key, key_changed *changed, void *owner);
/* The same where nobody waits for it. */
void key_change_forget(struct key *key);
/* Who asked has gone; the change goes on. */
void key_change_abandon(struct key_change *change);

/* The provider is being closed: all that wait are answered. For provider.c. */
void key_changes_drop(struct provider *provider);

#endif
