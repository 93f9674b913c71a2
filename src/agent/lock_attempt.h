/*
 * Passwords that wait to be tried on the lock: one key derivation at a time, on a thread of its
 * own. What a derived one does is lock.c's.
 *
 *   waiting ──▶ its turn ──▶ derived ─┬─▶ finished: answered at once
 *                                     └─▶ held back for a time, then answered; only then comes the
 *                                         next one's turn
 */
#ifndef AGENT_LOCK_ATTEMPT_H
#define AGENT_LOCK_ATTEMPT_H

#include <sys/types.h>

#include "password_hash.h"
#include "request.h"

struct agent;
struct attempts;
struct lock;

/* refusal: why it was of no use, static; NULL: it was. The attempt is dead after this call. */
typedef void attempt_answered(void *owner, const char *refusal);

struct attempt {
	struct request request; /* first, for an owner that is a connection */
	struct attempts *attempts;
	struct attempt *next;
	attempt_answered *answered; /* NULL: who asked has gone */
	void *owner;
	pid_t pid;    /* of who tries it */
	bool to_lock; /* otherwise to unlock */
	bool typed;   /* for the agent itself, which asked for it */
	bool used;
};

struct attempt_events {
	/* Its turn has come: fills in the salt. Why it is not to be tried, static; else NULL. */
	const char *(*turn)(
		struct lock *lock, const struct attempt *attempt, struct password_hash *hash);
	/* Ends with attempt_finish() or attempt_hold_back(). */
	void (*derived)(
		struct lock *lock, struct attempt *attempt, const struct password_hash *hash);
	/* After attempts_close(): the last call. */
	void (*closed)(struct lock *lock);
};

struct attempt_wish {
	struct bytes password; /* digested at once */
	pid_t pid;
	bool to_lock;
	bool typed; /* has places of its own, which nobody can fill from outside */
	attempt_answered *answered;
	void *owner;
};

/* NULL when out of memory. */
struct attempts *attempts_new(
	struct agent *agent, const struct attempt_events *events, struct lock *lock);
/* The agent ends: what is in work is abandoned; the memory goes later, in the loop. NULL is fine.
 */
void attempts_close(struct attempts *attempts);
/* KS_BUSY: too many wait. Nothing is tried before attempts_serve(). */
KS_MUST_CHECK enum ks_error attempt_add(
	struct attempts *attempts, const struct attempt_wish *wish, struct attempt **out);
void attempts_serve(struct attempts *attempts);
/* Who asked has gone. To lock it counts all the same; to unlock it does not when it waits still. */
void attempt_leave(struct attempt *attempt);
/* From derived(): is anybody still there who asked? */
bool attempt_wanted(const struct attempt *attempt);
void attempt_finish(struct attempt *attempt, const char *refusal);
/* Whether who asked still waits or not; others go before this process next time. */
void attempt_hold_back(struct attempt *attempt, unsigned ms, const char *refusal);

#endif
