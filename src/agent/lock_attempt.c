/*
 * See lock_attempt.h. Attempts lie in an array of fixed size, their digests in one piece of locked
 * memory beside it, so that a thread never works on memory that a client's leaving gives back.
 */
#include "lock_attempt.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <uv.h>

#include <keystile/log.h>
#include <keystile/secret.h>

#include "agent.h"

/* More at a time are refused at once, untried; so are more of one process, which leaves room. */
#define ATTEMPTS_MAX 128
#define ATTEMPTS_OF_ONE_MAX 64
/* Beyond those, of what the person typed: one question is open at a time, and few of before it are
 * still held back. */
#define ATTEMPTS_TYPED_MAX 4
#define ATTEMPTS_ALL (ATTEMPTS_MAX + ATTEMPTS_TYPED_MAX)
/* Processes that are remembered for a wrong one. */
#define FAILED_MAX 8

struct attempts {
	struct agent *agent;
	const struct attempt_events *events;
	struct lock *lock;
	bool closing;
	bool clock_closed;
	pid_t failed[FAILED_MAX]; /* whose attempts were wrong, the last one first; others go before
				   */
	struct attempt all[ATTEMPTS_ALL];
	struct secret digests;	 /* PASSWORD_DIGEST bytes for each attempt */
	struct attempt *waiting; /* oldest first */
	struct attempt *in_work; /* also while it is held back */
	const char *held_back;	 /* the refusal that is */
	bool deriving;
	uv_work_t work;
	struct password_hash derived;
	enum ks_error derived_status;
	uv_timer_t delay;
};

static uint8_t *digest_of(const struct attempt *attempt)
{
	return attempt->attempts->digests.data +
	       (size_t)(attempt - attempt->attempts->all) * PASSWORD_DIGEST;
}

static void attempt_release(struct attempt *attempt)
{
	explicit_bzero(digest_of(attempt), PASSWORD_DIGEST);
	*attempt = (struct attempt){.attempts = attempt->attempts};
}

static void unlink_waiting(struct attempt *attempt)
{
	struct attempt **at = &attempt->attempts->waiting;

	while (*at != attempt)
		at = &(*at)->next;
	*at = attempt->next;
	attempt->next = NULL;
}

void attempt_leave(struct attempt *attempt)
{
	attempt->answered = NULL;
	if (attempt == attempt->attempts->in_work || attempt->to_lock)
		return;
	unlink_waiting(attempt);
	attempt_release(attempt);
}

bool attempt_wanted(const struct attempt *attempt)
{
	return attempt->answered != NULL;
}

void attempt_finish(struct attempt *attempt, const char *refusal)
{
	attempt_answered *answered = attempt->answered;
	void *owner = attempt->owner;

	attempt_release(attempt);
	if (answered != NULL)
		answered(owner, refusal);
}

static void on_delay(uv_timer_t *timer)
{
	struct attempts *attempts = timer->data;
	struct attempt *attempt = attempts->in_work;

	attempts->in_work = NULL;
	attempt_finish(attempt, attempts->held_back);
	attempts_serve(attempts);
}

/* Its place in the list, FAILED_MAX for who has not been wrong lately. */
static unsigned failed_place(const struct attempts *attempts, pid_t pid)
{
	unsigned place = 0;

	while (place < FAILED_MAX && attempts->failed[place] != pid)
		place++;
	return place;
}

static void note_failed(struct attempts *attempts, pid_t pid)
{
	unsigned place = failed_place(attempts, pid);

	if (place == FAILED_MAX)
		place--;
	memmove(&attempts->failed[1], &attempts->failed[0], place * sizeof(attempts->failed[0]));
	attempts->failed[0] = pid;
}

void attempt_hold_back(struct attempt *attempt, unsigned ms, const char *refusal)
{
	struct attempts *attempts = attempt->attempts;

	note_failed(attempts, attempt->pid);
	attempts->in_work = attempt;
	attempts->held_back = refusal;
	uv_timer_start(&attempts->delay, on_delay, ms, 0);
}

/* ---- One at a time ---- */

/* Once neither the clock nor the thread has it any more. */
static void free_closed(struct attempts *attempts)
{
	if (!attempts->clock_closed || attempts->deriving)
		return;
	attempts->events->closed(attempts->lock);
	secret_deinit(&attempts->digests);
	explicit_bzero(attempts, sizeof(*attempts));
	free(attempts);
}

static void on_clock_closed(uv_handle_t *handle)
{
	struct attempts *attempts = handle->data;

	attempts->clock_closed = true;
	free_closed(attempts);
}

/* On another thread, which touches nothing but the digest in work and what is derived from it. */
static void derive(uv_work_t *work)
{
	struct attempts *attempts = work->data;

	attempts->derived_status =
		password_hash_derive(&attempts->derived, digest_of(attempts->in_work));
	/* What OpenSSL keeps for each thread would stay until the end, and not go then. */
	OPENSSL_thread_stop();
}

static void on_derived(uv_work_t *work, int status)
{
	struct attempts *attempts = work->data;
	struct attempt *attempt = attempts->in_work;

	(void)status; /* nobody cancels it */
	attempts->deriving = false;
	if (attempts->closing) {
		free_closed(attempts);
		return;
	}
	attempts->in_work = NULL;
	if (attempts->derived_status == KS_OK) {
		attempts->events->derived(attempts->lock, attempt, &attempts->derived);
	} else {
		log_error("the password was not tried: out of memory");
		attempt_finish(attempt, "the password was not tried: out of memory");
	}
	explicit_bzero(&attempts->derived, sizeof(attempts->derived));
	attempts_serve(attempts);
}

/* NULL: it is in work now. */
static const char *begin_deriving(struct attempts *attempts, struct attempt *attempt)
{
	const char *refusal;

	attempts->derived = (struct password_hash){0};
	refusal = attempts->events->turn(attempts->lock, attempt, &attempts->derived);
	if (refusal != NULL)
		return refusal;
	attempts->work.data = attempts;
	attempts->in_work = attempt;
	attempts->deriving =
		uv_queue_work(&attempts->agent->loop, &attempts->work, derive, on_derived) == 0;
	if (attempts->deriving)
		return NULL;
	attempts->in_work = NULL;
	return "out of memory";
}

/*
 * Processes that try one password after the other do not keep the person's waiting: of those that
 * wait, the one whose process was wrong the longest ago, or never, and of its own the oldest.
 */
static struct attempt *next_attempt(struct attempts *attempts)
{
	struct attempt *found = NULL;

	for (struct attempt *attempt = attempts->waiting; attempt != NULL;
		attempt = attempt->next) {
		if (attempt->typed)
			return attempt;
		if (found == NULL ||
			failed_place(attempts, attempt->pid) > failed_place(attempts, found->pid))
			found = attempt;
	}
	return found;
}

void attempts_serve(struct attempts *attempts)
{
	while (attempts->in_work == NULL && attempts->waiting != NULL) {
		struct attempt *attempt = next_attempt(attempts);
		const char *refusal;

		unlink_waiting(attempt);
		refusal = begin_deriving(attempts, attempt);
		if (refusal != NULL)
			attempt_finish(attempt, refusal);
	}
}

/* ---- From outside ---- */

static struct attempt *find_free(struct attempts *attempts, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (!attempts->all[i].used)
			return &attempts->all[i];
	return NULL;
}

/* A free place, NULL where the process or all together have too many. */
static struct attempt *place_for(struct attempts *attempts, const struct attempt_wish *wish)
{
	unsigned of_this_process = 0;

	if (wish->typed)
		return find_free(attempts, ATTEMPTS_MAX, ATTEMPTS_ALL);
	for (size_t i = 0; i < ATTEMPTS_MAX; i++)
		of_this_process += attempts->all[i].used && attempts->all[i].pid == wish->pid;
	return of_this_process < ATTEMPTS_OF_ONE_MAX ? find_free(attempts, 0, ATTEMPTS_MAX) : NULL;
}

enum ks_error attempt_add(
	struct attempts *attempts, const struct attempt_wish *wish, struct attempt **out)
{
	struct attempt *attempt = place_for(attempts, wish);
	struct attempt **at = &attempts->waiting;

	if (attempt == NULL) {
		log_info("a password of pid %d was not tried: too many wait", (int)wish->pid);
		return KS_BUSY;
	}
	*attempt = (struct attempt){.attempts = attempts,
		.answered = wish->answered,
		.owner = wish->owner,
		.pid = wish->pid,
		.to_lock = wish->to_lock,
		.typed = wish->typed,
		.used = true};
	if (password_digest(wish->password, digest_of(attempt)) != KS_OK) {
		attempt_release(attempt);
		return KS_NO_MEMORY;
	}
	while (*at != NULL)
		at = &(*at)->next;
	*at = attempt;
	*out = attempt;
	return KS_OK;
}

struct attempts *attempts_new(
	struct agent *agent, const struct attempt_events *events, struct lock *lock)
{
	struct attempts *attempts = calloc(1, sizeof(*attempts));

	if (attempts == NULL ||
		secret_init(&attempts->digests, (size_t)ATTEMPTS_ALL * PASSWORD_DIGEST) != KS_OK) {
		free(attempts);
		return NULL;
	}
	attempts->agent = agent;
	attempts->events = events;
	attempts->lock = lock;
	uv_timer_init(&agent->loop, &attempts->delay);
	attempts->delay.data = attempts;
	return attempts;
}

void attempts_close(struct attempts *attempts)
{
	if (attempts == NULL)
		return;
	attempts->closing = true;
	uv_close((uv_handle_t *)&attempts->delay, on_clock_closed);
}
