/*
 * See lock.h: what passwords do once they are derived, and what the lock keeps from whom.
 */
#include "lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#include "agent.h"
#include "audit.h"
#include "connection.h"
#include "message.h"
#include "unlock_wait.h"

#define DELAY_STEP_MS 100
#define DELAY_STEPS_MAX 100

struct lock {
	struct agent *agent;
	bool locked;
	struct password_hash hash; /* of the password that unlocks */
	unsigned failures;
	struct attempts *attempts;
};

/* ---- What a derived password does ---- */

/* Who locks and leaves must not find that a signature was given after that. */
static void refuse_signatures(struct agent *agent)
{
	struct connection *next;

	for (struct connection *connection = agent->connections; connection != NULL;
		connection = next) {
		struct request *request = connection->request;
		char what[64];

		next = connection->next;
		if (request == NULL || !request->refused_by_lock)
			continue;
		snprintf(what, sizeof(what), "a signature in work, connection %llu",
			(unsigned long long)connection->id);
		refusals_add(&agent->refusals, &connection->peer, what, "the agent was locked",
			"ssh-add -X unlocks it");
		audit_reason(connection, "the agent was locked");
		connection->request = NULL;
		request->abandon(request);
		connection_answer(connection, MESSAGE_FAILURE);
	}
}

static void take_lock(
	struct lock *lock, struct attempt *attempt, const struct password_hash *derived)
{
	lock->hash = *derived;
	lock->locked = true;
	log_info("the agent is locked");
	approvals_forget(&lock->agent->approvals);
	refuse_signatures(lock->agent);
	attempt_finish(attempt, NULL);
}

static void take_unlock(struct lock *lock, struct attempt *attempt)
{
	bool wanted = attempt_wanted(attempt);

	lock->failures = 0;
	if (wanted) {
		lock->locked = false;
		explicit_bzero(&lock->hash, sizeof(lock->hash));
		log_info("the agent is unlocked");
	}
	attempt_finish(attempt, NULL);
	if (wanted)
		unlock_waits_over(lock->agent);
}

static void count_failure(struct lock *lock, struct attempt *attempt)
{
	unsigned steps;

	lock->failures++;
	if (attempt->typed)
		log_warning("a wrong password was typed for the locked agent, the %u. in a row",
			lock->failures);
	else
		log_warning("pid %d gave a wrong password for the locked agent, the %u. in a row",
			(int)attempt->pid, lock->failures);
	steps = lock->failures < DELAY_STEPS_MAX ? lock->failures : DELAY_STEPS_MAX;
	attempt_hold_back(attempt, steps * DELAY_STEP_MS, "the password was wrong");
}

static void on_derived(
	struct lock *lock, struct attempt *attempt, const struct password_hash *derived)
{
	if (attempt->to_lock)
		take_lock(lock, attempt, derived);
	else if (password_hash_equal(derived, &lock->hash))
		take_unlock(lock, attempt);
	else
		count_failure(lock, attempt);
}

static const char *on_turn(
	struct lock *lock, const struct attempt *attempt, struct password_hash *hash)
{
	if (attempt->to_lock == lock->locked)
		return lock->locked ? "it is locked already" : "it is not locked";
	memcpy(hash->salt, lock->hash.salt, sizeof(hash->salt));
	if (attempt->to_lock && password_hash_new_salt(hash) != KS_OK)
		return "out of memory";
	return NULL;
}

static void on_closed(struct lock *lock)
{
	explicit_bzero(lock, sizeof(*lock));
	free(lock);
}

static const struct attempt_events attempt_events = {
	.turn = on_turn, .derived = on_derived, .closed = on_closed};

/* ---- Where passwords come from ---- */

static void abandon(struct request *request)
{
	/* The request is the first member. */
	attempt_leave((struct attempt *)request);
}

static void on_answered(void *owner, const char *refusal)
{
	struct connection *connection = owner;

	if (refusal != NULL)
		audit_reason(connection, refusal);
	connection_answer(connection, refusal == NULL ? MESSAGE_SUCCESS : MESSAGE_FAILURE);
}

static void begin(struct connection *connection, struct bytes body, bool to_lock)
{
	struct attempts *attempts = connection->agent->lock->attempts;
	struct attempt_wish wish = {.pid = connection->peer.pid,
		.to_lock = to_lock,
		.answered = on_answered,
		.owner = connection};
	struct attempt *attempt = NULL;

	if (message_parse_password(body, &wish.password) != KS_OK || wish.password.len == 0 ||
		attempt_add(attempts, &wish, &attempt) != KS_OK) {
		connection_answer(connection, MESSAGE_FAILURE);
		return;
	}
	attempt->request.abandon = abandon;
	connection->request = &attempt->request;
	attempts_serve(attempts);
}

void lock_begin(struct connection *connection, struct bytes body)
{
	begin(connection, body, true);
}

void lock_begin_unlock(struct connection *connection, struct bytes body)
{
	begin(connection, body, false);
}

enum ks_error lock_try_typed(struct lock *lock, struct bytes password, attempt_answered *answered,
	void *owner, struct attempt **out)
{
	/* No client has the agent's own number. */
	const struct attempt_wish wish = {.password = password,
		.pid = getpid(),
		.typed = true,
		.answered = answered,
		.owner = owner};
	enum ks_error error;

	*out = NULL;
	if (password.len == 0)
		return KS_BAD_INPUT;
	error = attempt_add(lock->attempts, &wish, out);
	if (error == KS_OK)
		attempts_serve(lock->attempts);
	return error;
}

/* ---- Questions ---- */

bool lock_locked(const struct lock *lock)
{
	return lock->locked;
}

const char *lock_bars(const struct connection *connection)
{
	if (!connection->agent->config.locked_keys_listed)
		return "the agent is locked";
	if (origin_remote(&connection->origin))
		return "the agent is locked, and nobody is asked to unlock it for a remote request";
	return NULL;
}

bool lock_hides_keys(const struct connection *connection)
{
	return lock_locked(connection->agent->lock) && lock_bars(connection) != NULL;
}

unsigned lock_failures(const struct lock *lock)
{
	return lock->failures;
}

struct lock *lock_new(struct agent *agent)
{
	struct lock *lock = calloc(1, sizeof(*lock));

	if (lock == NULL)
		return NULL;
	lock->agent = agent;
	lock->attempts = attempts_new(agent, &attempt_events, lock);
	if (lock->attempts == NULL) {
		free(lock);
		return NULL;
	}
	return lock;
}

void lock_close(struct lock *lock)
{
	if (lock != NULL)
		attempts_close(lock->attempts);
}
