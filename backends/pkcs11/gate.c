/*
 * A shared or exclusive lock whose waiters have a deadline and can be cancelled, which the
 * locks of POSIX threads can't.
 */
#include "gate.h"

#include <time.h>

#define WAIT_MS 100

void gate_condition_init(pthread_cond_t *changed)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* The time until which one waits before looking at the operation again. */
static struct timespec wait_until(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	return until;
}

static enum ks_error goes_on(struct ks_operation *operation)
{
	if (operation && ks_cancelled(operation))
		return ks_time_left_ms(operation) > 0 ? KS_CANCELLED : KS_TIMEOUT;
	return KS_OK;
}

enum ks_error gate_wait(
	pthread_cond_t *changed, pthread_mutex_t *lock, struct ks_operation *operation)
{
	enum ks_error error = goes_on(operation);
	struct timespec until = wait_until();

	if (error == KS_OK)
		pthread_cond_timedwait(changed, lock, &until);
	return error;
}

enum ks_error gate_lock(pthread_mutex_t *lock, struct ks_operation *operation)
{
	enum ks_error error = KS_OK;
	int locked = pthread_mutex_trylock(lock);

	while (locked != 0 && error == KS_OK) {
		struct timespec until = wait_until();

		locked = pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until);
		if (locked != 0)
			error = goes_on(operation);
	}
	return error;
}

void gate_init(struct gate *gate)
{
	*gate = (struct gate){0};
	pthread_mutex_init(&gate->lock, NULL);
	gate_condition_init(&gate->changed);
}

void gate_deinit(struct gate *gate)
{
	pthread_cond_destroy(&gate->changed);
	pthread_mutex_destroy(&gate->lock);
}

enum ks_error gate_enter(struct gate *gate, struct ks_operation *operation)
{
	enum ks_error error = KS_OK;

	pthread_mutex_lock(&gate->lock);
	while (error == KS_OK && (gate->alone || gate->waiting_alone))
		error = gate_wait(&gate->changed, &gate->lock, operation);
	if (error == KS_OK)
		gate->inside++;
	pthread_mutex_unlock(&gate->lock);
	return error;
}

enum ks_error gate_enter_alone(struct gate *gate, struct ks_operation *operation)
{
	enum ks_error error = KS_OK;

	pthread_mutex_lock(&gate->lock);
	gate->waiting_alone++;
	while (error == KS_OK && (gate->alone || gate->inside))
		error = gate_wait(&gate->changed, &gate->lock, operation);
	gate->waiting_alone--;
	if (error == KS_OK)
		gate->alone = true;
	else
		pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
	return error;
}

bool gate_try_alone(struct gate *gate)
{
	bool alone;

	pthread_mutex_lock(&gate->lock);
	alone = !gate->alone && !gate->inside && !gate->waiting_alone;
	if (alone)
		gate->alone = true;
	pthread_mutex_unlock(&gate->lock);
	return alone;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	if (gate->alone)
		gate->alone = false;
	else
		gate->inside--;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}
