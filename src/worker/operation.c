/*
 * Operations from admission to FRAME_DONE, and the one table that says which function of the
 * backend each kind calls.
 */
#include "operation.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "confine.h"
#include "report.h"

#define LOCATE_GRACE_SECONDS 2
/* What a result may be: with words of full length it still fits into a frame. */
#define RESULT_MAX (FRAME_MAX - 2 * FRAME_TEXT_MAX)

static enum ks_error run_locate(struct ks_operation *operation, struct buf *result);
static enum ks_error run_open(struct ks_operation *operation, struct buf *result);
static enum ks_error run_list(struct ks_operation *operation, struct buf *result);
static enum ks_error run_login(struct ks_operation *operation, struct buf *result);
static enum ks_error run_sign(struct ks_operation *operation, struct buf *result);
static enum ks_error run_release(struct ks_operation *operation, struct buf *result);
static enum ks_error run_administer(struct ks_operation *operation, struct buf *result);
static enum ks_error run_add(struct ks_operation *operation, struct buf *result);
static enum ks_error run_remove(struct ks_operation *operation, struct buf *result);

static const struct kind {
	enum ks_error (*run)(struct ks_operation *operation, struct buf *result);
	enum provider_state before; /* the provider must be there, neither before nor beyond */
	bool alone;
} kinds[] = {
	[FRAME_LOCATE] = {run_locate, PROVIDER_UNKNOWN, true},
	[FRAME_OPEN] = {run_open, PROVIDER_LOCATED, true},
	[FRAME_LIST] = {run_list, PROVIDER_OPEN, false},
	[FRAME_LOGIN] = {run_login, PROVIDER_OPEN, false},
	[FRAME_SIGN] = {run_sign, PROVIDER_OPEN, false},
	[FRAME_RELEASE] = {run_release, PROVIDER_OPEN, false},
	[FRAME_ADMINISTER] = {run_administer, PROVIDER_OPEN, false},
	[FRAME_ADD] = {run_add, PROVIDER_OPEN, false},
	[FRAME_REMOVE] = {run_remove, PROVIDER_OPEN, false},
};

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
	return frame->type < sizeof(kinds) / sizeof(kinds[0]) && kinds[frame->type].run != NULL;
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
	const struct kind *kind = &kinds[frame->type];

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

/* ---- Running ---- */

/* Text of a frame; it holds no NUL. */
static char *copy_text(struct bytes text)
{
	return strndup(text.len > 0 ? (const char *)text.data : "", text.len);
}

/*
 * There is no other thread yet that could hear of a cancel: a path on a file system that hangs
 * costs the process, by the agent or, where that is gone, by this alarm.
 */
static enum ks_error locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	enum ks_error error;

	alarm((unsigned)ks_time_left_ms(operation) / 1000 + LOCATE_GRACE_SECONDS);
	error = operation->worker->backend->locate(operation, provider, canonical);
	alarm(0);
	return error;
}

static enum ks_error run_locate(struct ks_operation *operation, struct buf *result)
{
	const struct ks_backend *backend = operation->worker->backend;
	AUTO(text) provider = copy_text(operation->incoming.frame.locate.provider);

	if (provider == NULL)
		return KS_NO_MEMORY;
	if (backend->locate == NULL) {
		buf_put(result, bytes_of(provider));
		return KS_OK;
	}
	enum ks_error error = locate(operation, provider, result);
	if (error != KS_OK || buf_status(result) != KS_OK)
		return error;
	if (result->len > 0 && result->len <= FRAME_TEXT_MAX &&
		memchr(result->data, '\0', result->len) == NULL)
		return KS_OK;
	ks_explain(operation, "its canonical name is empty, too long or not text");
	return KS_BAD_INPUT;
}

struct bytes ks_grants(const struct ks_operation *operation)
{
	return buf_bytes(&operation->worker->grants);
}

/* The path in a canonical name, "SCHEME:PATH" or the path alone. */
static const char *library_of(const struct ks_worker *worker)
{
	const struct ks_needs *needs = worker->backend->needs;

	if (!needs->loads_path && !needs->reads_path)
		return NULL;
	return strchr(worker->canonical, '/');
}

/* Before anything foreign runs; without it the agent refuses every connection. */
static enum ks_error hand_over_memory(struct ks_operation *operation)
{
	struct ks_worker *worker = operation->worker;
	const struct frame frame = {.type = FRAME_MEMORY, .operation = operation->id};
	enum ks_error error = KS_OK;

	if (worker->memory_fd < 0)
		return KS_OK;
	if (confine_is_brokered(ks_grants(operation)))
		error = channel_send_with(&worker->channel, &frame, worker->memory_fd);
	close(worker->memory_fd);
	worker->memory_fd = -1;
	return error;
}

/* What the worker does itself, or what the program does in which the library will run. */
static enum ks_error confine(
	struct ks_operation *operation, struct frame_confined *told, int *notifications)
{
	struct ks_worker *worker = operation->worker;
	const struct ks_needs *needs = worker->backend->needs;
	enum ks_error error;

	if (needs->library_apart) {
		confine_foresee(told);
		return KS_OK;
	}
	error = hand_over_memory(operation);
	if (error == KS_OK)
		error = confine_process(
			needs, library_of(worker), ks_grants(operation), told, notifications);
	if (error != KS_OK)
		ks_explain(operation, "it could not be confined");
	return error;
}

/* From here on the process is confined, and has all its threads. */
static enum ks_error prepare(struct ks_operation *operation)
{
	struct ks_worker *worker = operation->worker;
	struct frame frame = {.type = FRAME_CONFINED, .operation = operation->id};
	AUTO(fd) notifications = -1;
	enum ks_error error;

	buf_put(&worker->grants, operation->incoming.frame.open.grants);
	if (buf_status(&worker->grants) != KS_OK)
		return KS_NO_MEMORY;
	error = confine(operation, &frame.confined, &notifications);
	if (error == KS_OK)
		error = channel_send_with(&worker->channel, &frame, notifications);
	return error == KS_OK ? worker_start_threads(worker) : error;
}

static enum ks_error run_open(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;
	enum ks_error error = prepare(operation);

	(void)result;
	if (error != KS_OK)
		return error;
	return worker->backend->open(worker, operation, worker->canonical, &worker->state);
}

static enum ks_error run_list(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;

	(void)result;
	return worker->backend->list(worker->state, operation);
}

static enum ks_error run_login(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;
	struct secret pin = {0};

	(void)result;
	enum ks_error error = operation_read_pin(operation->incoming.fd, &pin);
	if (error == KS_OK)
		error = worker->backend->login(worker->state, operation, &pin);
	else
		ks_explain(operation, "the PIN is empty, too long or not text");
	secret_deinit(&pin);
	return error;
}

static enum ks_error run_sign(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;
	const struct frame *frame = &operation->incoming.frame;
	const struct ks_sign request = {.token = frame->sign.token,
		.blob = frame->sign.blob,
		.algorithm = (enum ks_algorithm)frame->sign.algorithm,
		.data = frame->sign.data,
		.demand = frame->sign.demand};

	return worker->backend->sign(worker->state, operation, &request, result);
}

static enum ks_error run_release(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;

	(void)result;
	if (worker->backend->release == NULL)
		return KS_OK;
	return worker->backend->release(
		worker->state, operation, operation->incoming.frame.release.token);
}

/* It was filled and closed before the frame was sent, so reading it can't block. */
static enum ks_error read_pipe(int fd, struct secret *out)
{
	enum ks_error error = secret_init(out, SECRET_PIPE_MAX);

	return error == KS_OK ? secret_read(out, fd) : error;
}

static enum ks_error run_administer(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;
	const struct frame *frame = &operation->incoming.frame;
	enum ks_error error = KS_OK;
	struct secret secrets = {0};

	if (worker->backend->administer == NULL)
		return KS_UNSUPPORTED;
	if (frame->administer.with_secret)
		error = read_pipe(operation->incoming.fd, &secrets);
	if (error == KS_OK)
		error = worker->backend->administer(
			worker->state, operation, frame->administer.request, &secrets, result);
	secret_deinit(&secrets);
	return error;
}

static enum ks_error run_add(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;
	struct secret key = {0};

	if (worker->backend->add == NULL) {
		ks_explain(operation, "it takes no keys");
		return KS_UNSUPPORTED;
	}
	enum ks_error error = read_pipe(operation->incoming.fd, &key);
	if (error == KS_OK)
		error = worker->backend->add(worker->state, operation, &key, result);
	secret_deinit(&key);
	return error;
}

static enum ks_error run_remove(struct ks_operation *operation, struct buf *result)
{
	struct ks_worker *worker = operation->worker;

	(void)result;
	if (worker->backend->remove == NULL) {
		ks_explain(operation, "it takes no keys");
		return KS_UNSUPPORTED;
	}
	return worker->backend->remove(
		worker->state, operation, operation->incoming.frame.remove.blob);
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
		worker->canonical = copy_text(result);
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

	if (error == KS_OK)
		done.done.words = BYTES(NULL, 0);
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
	enum ks_error error = kinds[operation->incoming.frame.type].run(operation, &result);
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
