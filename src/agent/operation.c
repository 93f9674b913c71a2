/*
 * Operations: at most worker->parallel are with the worker, the rest wait here in order. A
 * deadline is the worker's to keep; one that lets it pass by more than a grace is killed. What is
 * said about one that runs is in operation_frame.c.
 */
#include "operation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#include "agent.h"

/* Adds one operation to the worker's counts, or takes it away (-1). */
static void count(const struct operation *operation, int by)
{
	struct worker *worker = operation->worker;
	unsigned *all = operation->running ? &worker->running : &worker->waiting;
	unsigned *remote = operation->running ? &worker->remote_running : &worker->remote_waiting;

	*all += (unsigned)by;
	if (operation->remote)
		*remote += (unsigned)by;
}

/* False for one that is being ended together with its worker. */
static bool unlink_operation(struct operation *operation)
{
	struct operation **at = &operation->worker->operations;

	while (*at != NULL && *at != operation)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	*at = operation->next;
	count(operation, -1);
	return true;
}

static void operation_free(struct operation *operation)
{
	buf_deinit(&operation->frame);
	if (operation->fd >= 0)
		close(operation->fd);
	free(operation->path);
	free(operation);
}

static void begin(struct operation *operation)
{
	struct worker *worker = operation->worker;
	int fd = operation->fd;

	count(operation, -1);
	operation->running = true;
	count(operation, 1);
	if (operation->remote)
		worker->round = operation->round;
	operation->fd = -1;
	operation->deadline_ms = uv_now(&worker->agent->loop) + operation->timeout_ms;
	if (stream_send(&worker->stream, &operation->frame, fd) != KS_OK)
		log_debug("worker %s takes no more operations", worker->needs->name);
}

/*
 * Where clients add keys, the last place is for what is urgent: to remove a key must not wait for
 * the touch of another one's signature.
 */
static unsigned places_for(const struct operation *operation)
{
	const struct worker *worker = operation->worker;

	if (operation->urgent || !worker->needs->takes_keys || worker->parallel == 1)
		return worker->parallel;
	return worker->parallel - 1;
}

static unsigned half(unsigned places)
{
	return places > 1 ? places / 2 : 1;
}

static bool is_of(const struct operation *operation, const char *path)
{
	return operation->path != NULL && path != NULL && strcmp(operation->path, path) == 0;
}

/* Those of a path that run or that wait. */
static unsigned count_path(const struct worker *worker, const char *path, bool running)
{
	const struct operation *operation = path == NULL ? NULL : worker->operations;
	unsigned number = 0;

	for (; operation != NULL; operation = operation->next)
		number += operation->running == running && is_of(operation, path);
	return number;
}

/*
 * Remote requests wait for people: what they may hold must leave room for who sits here, and what
 * one path of them holds for the others.
 */
static bool may_begin(const struct operation *operation)
{
	const struct worker *worker = operation->worker;
	unsigned places = half(worker->parallel);

	if (worker->running >= places_for(operation))
		return false;
	return !operation->remote ||
	       (worker->remote_running < places &&
		       count_path(worker, operation->path, true) < half(places));
}

static bool has_place(const struct worker *worker, const struct operation_wish *wish)
{
	const unsigned places = WORKER_WAITING_MAX / 2;

	if (worker->waiting >= WORKER_WAITING_MAX)
		return false;
	return !wish->remote || (worker->remote_waiting < places &&
					count_path(worker, wish->path, false) < places / 2);
}

/* Remote ones begin by turns of their paths, as in prompt_queue.h; all others in their order. */
static struct operation *next_to_begin(struct operation *from)
{
	struct operation *found = NULL;

	for (struct operation *operation = from; operation != NULL; operation = operation->next) {
		if (operation->running || !may_begin(operation))
			continue;
		if (found == NULL ||
			(found->remote && operation->remote && operation->round < found->round))
			found = operation;
		if (!found->remote)
			break;
	}
	return found;
}

void operations_continue(struct worker *worker)
{
	struct operation *operation;

	while (worker->state == WORKER_READY && worker->running < worker->parallel &&
		(operation = next_to_begin(worker->operations)) != NULL)
		begin(operation);
}

/* The time that a worker is told: every plain operation begins its body with it. */
static void set_timeout(struct frame *frame, uint32_t timeout_ms)
{
	switch (frame->type) {
	case FRAME_LOCATE:
		frame->locate.timeout_ms = timeout_ms;
		break;
	case FRAME_OPEN:
		frame->open.timeout_ms = timeout_ms;
		break;
	case FRAME_SIGN:
		frame->sign.timeout_ms = timeout_ms;
		break;
	case FRAME_RELEASE:
		frame->release.timeout_ms = timeout_ms;
		break;
	case FRAME_REMOVE:
		frame->remove.timeout_ms = timeout_ms;
		break;
	case FRAME_ADMINISTER:
		frame->administer.timeout_ms = timeout_ms;
		break;
	default:
		frame->plain.timeout_ms = timeout_ms;
		break;
	}
}

/* Never 0, which is the worker's own. */
static uint32_t next_id(struct worker *worker)
{
	if (++worker->last_id == 0)
		worker->last_id = 1;
	return worker->last_id;
}

static struct operation *operation_new(struct worker *worker, const struct operation_wish *wish)
{
	const struct config *config = &worker->agent->config;
	struct operation *operation = calloc(1, sizeof(*operation));

	if (operation == NULL)
		return NULL;
	*operation = (struct operation){.worker = worker,
		.type = wish->frame->type,
		.token = wish->frame->type == FRAME_SIGN ? wish->frame->sign.token : 0,
		.named = wish->frame->type == FRAME_SIGN ? wish->frame->sign.token : 0,
		.path = wish->path != NULL ? strdup(wish->path) : NULL,
		.events = wish->events,
		.owner = wish->owner,
		.remote = wish->remote,
		.urgent = wish->urgent,
		.fd = wish->fd,
		.id = next_id(worker),
		.timeout_ms = config->operation_timeout_ms};
	wish->frame->operation = operation->id;
	/* The person's time to answer comes on top; here the clock stands still meanwhile. */
	set_timeout(wish->frame,
		config->operation_timeout_ms + OPERATION_PINS_MAX * config->prompt_timeout_ms);
	frame_encode(wish->frame, &operation->frame);
	if (buf_status(&operation->frame) == KS_OK &&
		(wish->path == NULL || operation->path != NULL))
		return operation;
	operation->fd = -1;
	operation_free(operation);
	return NULL;
}

/* Behind all that were there before; an urgent one only behind those that run. */
static void insert(struct worker *worker, struct operation *operation, bool urgent)
{
	struct operation **at = &worker->operations;

	operation->round = worker->round + 1;
	for (; *at != NULL && (!urgent || (*at)->running); at = &(*at)->next)
		if (is_of(*at, operation->path) && (*at)->round >= operation->round)
			operation->round = (*at)->round + 1;
	operation->next = *at;
	*at = operation;
	count(operation, 1);
}

enum ks_error worker_operate(
	struct worker *worker, const struct operation_wish *wish, struct operation **out)
{
	struct operation *operation = NULL;

	if (worker->state != WORKER_ENDED && (wish->urgent || has_place(worker, wish)))
		operation = operation_new(worker, wish);
	if (operation == NULL) {
		if (wish->fd >= 0)
			close(wish->fd);
		return KS_BUSY;
	}
	insert(worker, operation, wish->urgent);
	/* Also waiting for room has an end. */
	operation->deadline_ms = uv_now(&worker->agent->loop) + operation->timeout_ms;
	*out = operation;
	operations_continue(worker);
	return KS_OK;
}

/* Of one that is in no list any more. */
static void finish(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	if (operation->events != NULL)
		operation->events->done(operation, error, words, result);
	operation_free(operation);
}

void operation_end(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	unlink_operation(operation);
	finish(operation, error, words, result);
}

static struct operation *detach_all(struct worker *worker)
{
	struct operation *all = worker->operations;

	worker->operations = NULL;
	worker->running = worker->remote_running = 0;
	worker->waiting = worker->remote_waiting = 0;
	return all;
}

void operations_drop(struct worker *worker, enum ks_error error, const char *words)
{
	struct operation *operation = detach_all(worker);

	while (operation != NULL) {
		struct operation *next = operation->next;

		finish(operation, error, bytes_of(words), bytes_of(NULL));
		operation = next;
	}
}

static bool with_worker(const struct operation *operation)
{
	return operation->running || operation->worker->state == WORKER_STARTING;
}

static bool late(const struct operation *operation, uint64_t now, uint64_t grace_ms)
{
	return !operation->asking && !operation->touch_asked &&
	       now > operation->deadline_ms + grace_ms;
}

/* The first one that has been waiting for room for too long, or NULL. */
static struct operation *first_starved(struct worker *worker, uint64_t now)
{
	for (struct operation *operation = worker->operations; operation != NULL;
		operation = operation->next)
		if (!with_worker(operation) && late(operation, now, 0))
			return operation;
	return NULL;
}

void operations_check_deadlines(struct worker *worker)
{
	uint64_t now = uv_now(&worker->agent->loop);
	struct operation *operation;

	for (operation = worker->operations; operation != NULL; operation = operation->next) {
		if (with_worker(operation) && late(operation, now, OPERATION_GRACE_MS)) {
			worker_fail(worker, "it did not answer in time");
			return;
		}
		if (operation->running && late(operation, now, 0))
			operation_cancel(operation);
	}
	while ((operation = first_starved(worker, now)) != NULL)
		operation_end(operation, KS_BUSY, bytes_of("other requests kept the token busy"),
			bytes_of(NULL));
}

void operation_abandon(struct operation *operation)
{
	operation->events = NULL;
	if (!operation->running) {
		if (unlink_operation(operation))
			operation_free(operation);
		return;
	}
	if (operation->asking)
		operation_answer_pin(operation, KS_CANCELLED, -1);
	if (operation->touch_asked)
		operation_answer_touch(operation, KS_CANCELLED);
	operation_cancel(operation);
}

/*
 * Where a key may be on any token the worker lets one operation have it at a time, and the end of
 * the one before is told a moment later than the next one begins.
 */
static bool is_at_token(const struct operation *operation)
{
	bool any = operation->worker->needs->keys_on_any_token;

	return !any || operation->touching || operation->asking;
}

uint32_t operation_token(const struct operation *operation)
{
	return operation->worker->needs->keys_on_any_token ? operation->used : operation->token;
}

bool operation_is_alone(const struct operation *operation)
{
	for (const struct operation *other = operation->worker->operations; other != NULL;
		other = other->next)
		if (other != operation && other->running && other->type == FRAME_SIGN &&
			is_at_token(other) && other->token == operation->token)
			return false;
	return true;
}

unsigned worker_count_waiting(const struct worker *worker, uint32_t token)
{
	unsigned number = 0;

	if (token == 0)
		return 0; /* where tokens have that number nobody waits in the worker */
	for (const struct operation *operation = worker->operations; operation != NULL;
		operation = operation->next)
		number += operation->running
				  ? operation->waits_for == token
				  : operation->type == FRAME_SIGN && operation->token == token;
	return number;
}

static bool may_use(const struct operation *operation, uint32_t token)
{
	bool any = operation->worker->needs->keys_on_any_token;

	return operation->token == token || (any && operation->token == operation->named);
}

bool operation_is_in_the_way(const struct operation *operation)
{
	if (!operation->remote)
		return false;
	for (const struct operation *other = operation->worker->operations; other != NULL;
		other = other->next)
		if (!other->remote && other->running && other->waits_for != 0 &&
			may_use(operation, other->waits_for))
			return true;
	return false;
}

struct operation *worker_remote_user(const struct worker *worker, uint32_t token)
{
	bool any = worker->needs->keys_on_any_token;

	for (struct operation *operation = worker->operations; operation != NULL;
		operation = operation->next)
		if (operation->remote && (operation->touching || (any && operation->asking)) &&
			may_use(operation, token) && operation->type == FRAME_SIGN &&
			operation->events != NULL)
			return operation;
	return NULL;
}
