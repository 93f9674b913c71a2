/*
 * Operations from admission to FRAME_DONE. What each kind calls of the backend: operation_kind.c.
 */
#include "operation.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "operation_kind.h"
#include "report.h"

/* What a result may be: with words of full length it still fits into a frame. */
#define RESULT_MAX (FRAME_MAX - 2 * FRAME_TEXT_MAX)

void operation_init(struct ks_operation *operation, struct ks_worker *worker)
{
	pthread_condattr_t monotonic;

	memset(operation, 0, sizeof(*operation));
	operation->worker = worker;
	operation->cancel_fd = -1;
	operation->pin.fd = -1;
	operation->touch.fd = -1;
	incoming_init(&operation->incoming);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&operation->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

bool operation_begins(const struct frame *frame)
{
	return operation_kind(frame->type) != NULL;
}

static uint32_t frame_timeout_ms(const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_LOCATE:
		return frame->locate.timeout_ms;
	case FRAME_OPEN:
		return frame->open.timeout_ms;
	case FRAME_SIGN:
		return frame->sign.timeout_ms;
	case FRAME_RELEASE:
		return frame->release.timeout_ms;
	case FRAME_REMOVE:
		return frame->remove.timeout_ms;
	case FRAME_ADMINISTER:
		return frame->administer.timeout_ms;
	default:
		return frame->plain.timeout_ms;
	}
}

static struct timespec deadline_after(uint32_t timeout_ms)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += timeout_ms / 1000;
	deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_nsec -= 1000000000;
		deadline.tv_sec++;
	}
	return deadline;
}

/* Under the worker's lock. */
static struct ks_operation *find_running(struct ks_worker *worker, uint32_t id)
{
	for (unsigned i = 0; i <= worker->backend->parallel; i++)
		if (worker->operations[i].running && worker->operations[i].id == id)
			return &worker->operations[i];
	return NULL;
}

/* Under the worker's lock. */
static const char *why_not_admitted(struct ks_worker *worker, const struct frame *frame)
{
	const struct operation_kind *kind = operation_kind(frame->type);

	if (worker->running >= worker->backend->parallel)
		return "the agent began more operations than run in parallel";
	if (find_running(worker, frame->operation) != NULL)
		return "the agent gave two operations the same id";
	if (worker->provider != kind->before && worker->provider != PROVIDER_FAILED)
		return "the agent began an operation out of turn";
	if (worker->provider == PROVIDER_FAILED)
		return "the agent goes on with a provider that could not be opened";
	if (kind->alone && worker->running > 0)
		return "the agent did not let locate or open run alone";
	return NULL;
}

const char *operation_admit(struct ks_operation *operation)
{
	struct ks_worker *worker = operation->worker;
	const struct frame *frame = &operation->incoming.frame;

	operation->deadline = deadline_after(frame_timeout_ms(frame));
	atomic_store(&operation->cancelled, false);
	operation->pin_given = false;
	operation->touch_shown = false;
	pthread_mutex_lock(&worker->lock);
	const char *wrong = why_not_admitted(worker, frame);
	if (wrong == NULL) {
		operation->id = frame->operation;
		operation->running = true;
		worker->running++;
	}
	pthread_mutex_unlock(&worker->lock);
	return wrong;
}

/* ---- Ending ---- */

/* What the backend said, in the terms of the agent; words and result follow the error. */
static enum ks_error judge(struct ks_operation *operation, enum ks_error error, struct buf *result)
{
	if ((unsigned)error >= KS_ERROR_COUNT) {
		log_error("the backend returned an error that does not exist: %d", (int)error);
		error = KS_DEVICE_FAILED;
	}
	if (error == KS_CANCELLED && !atomic_load(&operation->cancelled) &&
		operation_is_over(operation))
		error = KS_TIMEOUT;
	if (error == KS_OK && buf_status(result) != KS_OK) {
		ks_explain(operation, "its answer is too large");
		error = KS_NO_MEMORY;
	}
	if (error != KS_OK)
		buf_clear(result);
	return error;
}

static void question_forget(struct question *question)
{
	if (question->fd >= 0)
		close(question->fd);
	*question = (struct question){.fd = -1};
}

/* Under the worker's lock: how the provider stands after locate or open. */
static void provider_advance(
	struct ks_worker *worker, enum frame_type type, enum ks_error error, struct bytes result)
{
	if (type == FRAME_LOCATE && error == KS_OK)
		worker->canonical = operation_text(result);
	if (type == FRAME_LOCATE)
		worker->provider = worker->canonical != NULL ? PROVIDER_LOCATED : PROVIDER_FAILED;
	if (type == FRAME_OPEN)
		worker->provider = error == KS_OK ? PROVIDER_OPEN : PROVIDER_FAILED;
}

/*
 * From here on nobody finds it. Before FRAME_DONE is sent, as the agent may begin the next
 * operation as soon as it has that.
 */
static void operation_retire(
	struct ks_operation *operation, enum ks_error error, struct bytes result)
{
	struct ks_worker *worker = operation->worker;

	pthread_mutex_lock(&worker->lock);
	provider_advance(worker, operation->incoming.frame.type, error, result);
	operation->running = false;
	question_forget(&operation->pin);
	question_forget(&operation->touch);
	if (operation->cancel_fd >= 0)
		close(operation->cancel_fd);
	operation->cancel_fd = -1;
	worker->ended[worker->ended_next++ % PARALLEL_MAX] = operation->id;
	if (--worker->running == 0)
		pthread_cond_broadcast(&worker->idle);
	pthread_mutex_unlock(&worker->lock);
}

static void send_done(struct ks_operation *operation, enum ks_error error, struct bytes result)
{
	struct ks_worker *worker = operation->worker;
	struct frame done = {.type = FRAME_DONE,
		.operation = operation->id,
		.done = {.error = error, .words = bytes_of(operation->words), .result = result}};

	if (channel_send(&worker->channel, &done) == KS_OK)
		return;
	done.done.error = KS_NO_MEMORY;
	done.done.words = done.done.result = BYTES(NULL, 0);
	if (channel_send(&worker->channel, &done) != KS_OK)
		worker_fail(worker, "no memory for an answer");
}

void operation_run(struct ks_operation *operation)
{
	AUTO(buf) result = {0};

	buf_init(&result, RESULT_MAX);
	enum ks_error error =
		operation_kind(operation->incoming.frame.type)->run(operation, &result);
	error = judge(operation, error, &result);
	ks_touch_over(operation);
	report_dropped(operation->worker);
	operation_retire(operation, error, buf_bytes(&result));
	send_done(operation, error, buf_bytes(&result));
	free(operation->words);
	operation->words = NULL;
	incoming_clear(&operation->incoming);
}

/* ---- What other threads do to a running operation ---- */

/* Under the worker's lock. */
static void cancel(struct ks_operation *operation)
{
	const struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};

	atomic_store(&operation->cancelled, true);
	if (operation->cancel_fd >= 0)
		timerfd_settime(operation->cancel_fd, TFD_TIMER_ABSTIME, &at_once, NULL);
	pthread_cond_broadcast(&operation->answered);
}

/* Under the worker's lock. */
static const char *answer(
	struct ks_operation *operation, struct question *question, struct incoming *incoming)
{
	if (question->state == QUESTION_GIVEN_UP) {
		question->state = QUESTION_NONE;
		return NULL;
	}
	if (question->state != QUESTION_ASKED)
		return "the agent answered what was not asked";
	question->state = QUESTION_ANSWERED;
	question->verdict = (enum ks_error)incoming->frame.answer.verdict;
	question->fd = TAKE_FD(incoming->fd);
	pthread_cond_broadcast(&operation->answered);
	return NULL;
}

/*
 * Under the worker's lock. The agent cannot have begun more than parallel operations since one
 * whose FRAME_DONE it had not read yet, so what crossed that is always among these.
 */
static bool ended_just_now(const struct ks_worker *worker, uint32_t id)
{
	for (unsigned i = 0; i < PARALLEL_MAX && i < worker->ended_next; i++)
		if (worker->ended[i] == id)
			return true;
	return false;
}

const char *operation_take_answer(struct ks_worker *worker, struct incoming *incoming)
{
	const struct frame *frame = &incoming->frame;
	const char *wrong = NULL;

	pthread_mutex_lock(&worker->lock);
	struct ks_operation *operation = find_running(worker, frame->operation);
	/* A cancel may cross the end of what it cancels by any time. */
	if (operation == NULL && frame->type != FRAME_CANCEL &&
		!ended_just_now(worker, frame->operation))
		wrong = "the agent answered an operation that it never began";
	else if (operation != NULL && frame->type == FRAME_CANCEL)
		cancel(operation);
	else if (operation != NULL)
		wrong = answer(operation,
			frame->type == FRAME_PIN_ANSWER ? &operation->pin : &operation->touch,
			incoming);
	pthread_mutex_unlock(&worker->lock);
	return wrong;
}

void operation_cancel_all(struct ks_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	for (unsigned i = 0; i <= worker->backend->parallel; i++)
		if (worker->operations[i].running)
			cancel(&worker->operations[i]);
	pthread_mutex_unlock(&worker->lock);
}
