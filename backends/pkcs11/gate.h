/*
 * A lock for things that take long: many may be inside, or one alone. Who waits gives up
 * when its operation is over. Those who want to be alone go first, so that a stream of others
 * can't keep them out.
 */
#ifndef KEYSTILE_PKCS11_GATE_H
#define KEYSTILE_PKCS11_GATE_H

#include <pthread.h>
#include <stdbool.h>

#include <keystile/backend.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned inside;
	unsigned waiting_alone;
	bool alone;
};

void gate_init(struct gate *gate);
void gate_deinit(struct gate *gate);
/*
 * KS_OK, KS_CANCELLED, or KS_TIMEOUT when the deadline passed first. operation may be NULL, here
 * and below: then nobody's request it is, and it waits for as long as it takes.
 */
KS_MUST_CHECK enum ks_error gate_enter(struct gate *gate, struct ks_operation *operation);
KS_MUST_CHECK enum ks_error gate_enter_alone(struct gate *gate, struct ks_operation *operation);
/* Alone, where nobody is inside or waits. */
bool gate_try_alone(struct gate *gate);
void gate_leave(struct gate *gate);

/*
 * Waits for a condition, with its mutex held, a short while at the most, so that the caller looks
 * at its operation again: nothing wakes it when that is cancelled. KS_OK: look again.
 */
KS_MUST_CHECK enum ks_error gate_wait(
	pthread_cond_t *changed, pthread_mutex_t *lock, struct ks_operation *operation);
void gate_condition_init(pthread_cond_t *changed);

/*
 * A mutex, for what is short and where many wait: one of them is woken and not all, and gives up
 * when its operation is over. pthread_mutex_unlock() ends it.
 */
KS_MUST_CHECK enum ks_error gate_lock(pthread_mutex_t *lock, struct ks_operation *operation);

#endif
