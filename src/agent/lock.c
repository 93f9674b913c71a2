/*
 * See lock.h. Attempts lie in an array of fixed size, their digests in one piece of locked memory
 * beside it, so that a thread never works on memory that a client's leaving gives back.
 */
#include "lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <keystile/log.h>
#include <keystile/secret.h>

#include "agent.h"
#include "audit.h"
#include "connection.h"
#include "message.h"
#include "password_hash.h"

/* More at a time are refused at once, untried; so are more of one process, which leaves room. */
#define ATTEMPTS_MAX 128
#define ATTEMPTS_OF_ONE_MAX 64
#define DELAY_STEP_MS 100
#define DELAY_STEPS_MAX 100

struct attempt {
	struct request request; /* first: the connection knows only that */
	struct lock *lock;
	struct attempt *next;
	struct connection *connection; /* NULL: the client has gone */
	pid_t pid;		       /* of the client */
	bool to_lock;		       /* otherwise to unlock */
	bool used;
};

struct lock {
	struct agent *agent;
	bool locked;
	bool closing;
	bool clock_closed;
	struct password_hash hash; /* of the password that unlocks */
	unsigned failures;
	pid_t failed_pid; /* whose attempt was wrong last; others go first */
	struct attempt attempts[ATTEMPTS_MAX];
	struct secret digests;	 /* PASSWORD_DIGEST bytes for each attempt */
	struct attempt *waiting; /* oldest first */
	struct attempt *in_work; /* also while its failure is held back */
	bool deriving;
	uv_work_t work;
	struct password_hash derived;
	enum ks_error derived_status;
	uv_timer_t delay;
};

static void serve(struct lock *lock);

static uint8_t *digest_of(const struct attempt *attempt)
{
	return attempt->lock->digests.data +
	       (size_t)(attempt - attempt->lock->attempts) * PASSWORD_DIGEST;
}

static void attempt_release(struct attempt *attempt)
{
	explicit_bzero(digest_of(attempt), PASSWORD_DIGEST);
	*attempt = (struct attempt){.lock = attempt->lock};
}

static void unlink_waiting(struct attempt *attempt)
{
	struct attempt **at = &attempt->lock->waiting;

	while (*at != attempt)
		at = &(*at)->next;
	*at = attempt->next;
	attempt->next = NULL;
}

/* The client has gone. */
static void abandon(struct request *request)
{
	struct attempt *attempt = (struct attempt *)request;

	attempt->connection = NULL;
	if (attempt == attempt->lock->in_work || attempt->to_lock)
		return;
	unlink_waiting(attempt);
	attempt_release(attempt);
}

static void finish(struct attempt *attempt, enum message_type answer)
{
	struct connection *connection = attempt->connection;

	attempt_release(attempt);
	if (connection != NULL)
		connection_answer(connection, answer);
}

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
		refusals_add(
			&agent->refusals, what, "the agent was locked", "ssh-add -X unlocks it");
		audit_reason(connection, "the agent was locked");
		connection->request = NULL;
		request->abandon(request);
		connection_answer(connection, MESSAGE_FAILURE);
	}
}

static void take_lock(struct lock *lock, struct attempt *attempt)
{
	lock->hash = lock->derived;
	lock->locked = true;
	log_info("the agent is locked");
	approvals_forget(&lock->agent->approvals);
	refuse_signatures(lock->agent);
	finish(attempt, MESSAGE_SUCCESS);
}

static void take_unlock(struct lock *lock, struct attempt *attempt)
{
	lock->failures = 0;
	if (attempt->connection != NULL) {
		lock->locked = false;
		explicit_bzero(&lock->hash, sizeof(lock->hash));
		log_info("the agent is unlocked");
	}
	finish(attempt, MESSAGE_SUCCESS);
}

static void on_delay(uv_timer_t *timer)
{
	struct lock *lock = timer->data;
	struct attempt *attempt = lock->in_work;

	lock->in_work = NULL;
	audit_reason(attempt->connection, "the password was wrong");
	finish(attempt, MESSAGE_FAILURE);
	serve(lock);
}

/* The attempt stays in work until its time is over, whether its client still waits or not. */
static void hold_back(struct lock *lock, struct attempt *attempt)
{
	unsigned steps;

	lock->failures++;
	lock->failed_pid = attempt->pid;
	lock->in_work = attempt;
	steps = lock->failures < DELAY_STEPS_MAX ? lock->failures : DELAY_STEPS_MAX;
	log_warning("pid %d gave a wrong password for the locked agent, the %u. in a row",
		(int)attempt->pid, lock->failures);
	uv_timer_start(&lock->delay, on_delay, (uint64_t)steps * DELAY_STEP_MS, 0);
}

static void conclude(struct lock *lock, struct attempt *attempt)
{
	if (lock->derived_status != KS_OK) {
		log_error("the password was not tried: out of memory");
		finish(attempt, MESSAGE_FAILURE);
	} else if (attempt->to_lock) {
		take_lock(lock, attempt);
	} else if (password_hash_equal(&lock->derived, &lock->hash)) {
		take_unlock(lock, attempt);
	} else {
		hold_back(lock, attempt);
	}
}

/* ---- One at a time ---- */

/* Once neither the clock nor the thread has it any more. */
static void free_closed(struct lock *lock)
{
	if (!lock->clock_closed || lock->deriving)
		return;
	secret_deinit(&lock->digests);
	explicit_bzero(lock, sizeof(*lock));
	free(lock);
}

static void on_clock_closed(uv_handle_t *handle)
{
	struct lock *lock = handle->data;

	lock->clock_closed = true;
	free_closed(lock);
}

/* On another thread, which touches nothing but the digest in work and what is derived from it. */
static void derive(uv_work_t *work)
{
	struct lock *lock = work->data;

	lock->derived_status = password_hash_derive(&lock->derived, digest_of(lock->in_work));
	/* What OpenSSL keeps for each thread would stay until the end, and not go then. */
	OPENSSL_thread_stop();
}

static void on_derived(uv_work_t *work, int status)
{
	struct lock *lock = work->data;
	struct attempt *attempt = lock->in_work;

	(void)status; /* nobody cancels it */
	lock->deriving = false;
	if (lock->closing) {
		free_closed(lock);
		return;
	}
	lock->in_work = NULL;
	conclude(lock, attempt);
	explicit_bzero(&lock->derived, sizeof(lock->derived));
	serve(lock);
}

static enum ks_error begin_deriving(struct lock *lock, struct attempt *attempt)
{
	lock->derived = (struct password_hash){0};
	memcpy(lock->derived.salt, lock->hash.salt, sizeof(lock->derived.salt));
	if (attempt->to_lock && password_hash_new_salt(&lock->derived) != KS_OK)
		return KS_NO_MEMORY;
	lock->work.data = lock;
	lock->in_work = attempt;
	lock->deriving = uv_queue_work(&lock->agent->loop, &lock->work, derive, on_derived) == 0;
	if (lock->deriving)
		return KS_OK;
	lock->in_work = NULL;
	return KS_NO_MEMORY;
}

/* A process that tries one password after the other does not keep the person's waiting. */
static struct attempt *next_attempt(struct lock *lock)
{
	struct attempt *attempt = lock->waiting;

	while (attempt != NULL && attempt->pid == lock->failed_pid)
		attempt = attempt->next;
	return attempt != NULL ? attempt : lock->waiting;
}

static void serve(struct lock *lock)
{
	while (lock->in_work == NULL && lock->waiting != NULL) {
		struct attempt *attempt = next_attempt(lock);

		unlink_waiting(attempt);
		if (attempt->to_lock == lock->locked)
			audit_reason(attempt->connection,
				lock->locked ? "it is locked already" : "it is not locked");
		if (attempt->to_lock == lock->locked || begin_deriving(lock, attempt) != KS_OK)
			finish(attempt, MESSAGE_FAILURE);
	}
}

/* ---- From outside ---- */

/* One that is free, NULL where the process or all together have too many. */
static struct attempt *attempt_new(struct lock *lock, pid_t pid)
{
	struct attempt *found = NULL;
	unsigned of_this_process = 0;

	for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
		if (!lock->attempts[i].used)
			found = &lock->attempts[i];
		else
			of_this_process += lock->attempts[i].pid == pid;
	}
	if (found == NULL || of_this_process >= ATTEMPTS_OF_ONE_MAX) {
		log_info("a password of pid %d was not tried: too many wait", (int)pid);
		return NULL;
	}
	*found = (struct attempt){
		.request = {.abandon = abandon}, .lock = lock, .pid = pid, .used = true};
	return found;
}

/* KS_BUSY: too many wait. */
static enum ks_error add_attempt(struct connection *connection, struct bytes password, bool to_lock)
{
	struct attempt *attempt = attempt_new(connection->agent->lock, connection->peer.pid);
	struct attempt **at = &connection->agent->lock->waiting;

	if (attempt == NULL)
		return KS_BUSY;
	if (password_digest(password, digest_of(attempt)) != KS_OK) {
		attempt_release(attempt);
		return KS_NO_MEMORY;
	}
	attempt->connection = connection;
	attempt->to_lock = to_lock;
	connection->request = &attempt->request;
	while (*at != NULL)
		at = &(*at)->next;
	*at = attempt;
	return KS_OK;
}

static void begin(struct connection *connection, struct bytes body, bool to_lock)
{
	struct bytes password;

	if (message_parse_password(body, &password) != KS_OK || password.len == 0 ||
		add_attempt(connection, password, to_lock) != KS_OK)
		connection_answer(connection, MESSAGE_FAILURE);
	else
		serve(connection->agent->lock);
}

void lock_begin(struct connection *connection, struct bytes body)
{
	begin(connection, body, true);
}

void lock_begin_unlock(struct connection *connection, struct bytes body)
{
	begin(connection, body, false);
}

bool lock_locked(const struct lock *lock)
{
	return lock->locked;
}

unsigned lock_failures(const struct lock *lock)
{
	return lock->failures;
}

struct lock *lock_new(struct agent *agent)
{
	struct lock *lock = calloc(1, sizeof(*lock));

	if (lock == NULL ||
		secret_init(&lock->digests, (size_t)ATTEMPTS_MAX * PASSWORD_DIGEST) != KS_OK) {
		free(lock);
		return NULL;
	}
	lock->agent = agent;
	uv_timer_init(&agent->loop, &lock->delay);
	lock->delay.data = lock;
	return lock;
}

void lock_close(struct lock *lock)
{
	if (lock == NULL)
		return;
	lock->closing = true;
	uv_close((uv_handle_t *)&lock->delay, on_clock_closed);
}
