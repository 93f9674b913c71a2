/*
 * The process: its threads, whose turn it is to read, the handshake, and the end.
 */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <keystile/log.h>

#include "operation.h"
#include "report.h"

#define GRACE_SECONDS 1	 /* for operations in work when the agent has gone */
#define CLOSE_SECONDS 5	 /* for the backend's close() */
#define REPORT_SECONDS 2 /* for the last words to an agent that broke the rules */

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

/* Clean-up that foreign libraries registered with atexit() is not ours to run with threads left. */
static _Noreturn void worker_exit(void)
{
#ifdef __SANITIZE_ADDRESS__
	__lsan_do_leak_check();
#endif
	_exit(0);
}

void worker_fail(const struct ks_worker *worker, const char *what)
{
	alarm(REPORT_SECONDS);
	log_error("worker %s ends: %s", worker->backend->needs->name, what);
	_exit(1);
}

/* False when operations still run after the grace. */
static bool await_idle(struct ks_worker *worker)
{
	struct timespec until;
	int waited = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += GRACE_SECONDS;
	pthread_mutex_lock(&worker->lock);
	while (worker->running > 0 && waited == 0)
		waited = pthread_cond_timedwait(&worker->idle, &worker->lock, &until);
	bool idle = worker->running == 0;
	pthread_mutex_unlock(&worker->lock);
	return idle;
}

/* Called by the thread whose turn it is, which never gives it away: nothing begins any more. */
static _Noreturn void worker_finish(struct ks_worker *worker)
{
	operation_cancel_all(worker);
	if (!await_idle(worker))
		_exit(0);
	alarm(CLOSE_SECONDS);
	if (worker->provider == PROVIDER_OPEN)
		worker->backend->close(worker->state);
	worker_exit();
}

static void take_hello(struct ks_worker *worker, const struct frame *frame)
{
	if (frame->type != FRAME_HELLO)
		worker_fail(worker, "the agent did not begin with hello");
	if (frame->hello.version != FRAME_VERSION)
		worker_fail(worker, "the agent speaks another version of the worker protocol");
	worker->greeted = true;
	log_start(worker->backend->needs->name, (enum log_level)frame->hello.log_level);
}

/* True when the frame begins an operation, which is then admitted. */
static bool act_on_frame(struct ks_operation *operation)
{
	struct ks_worker *worker = operation->worker;
	const struct frame *frame = &operation->incoming.frame;
	const char *wrong = "the agent sent a frame that is not its to send";

	if (!worker->greeted) {
		take_hello(worker, frame);
		return false;
	}
	switch (frame->type) {
	case FRAME_QUIT:
		worker_finish(worker);
	case FRAME_CANCEL:
	case FRAME_PIN_ANSWER:
	case FRAME_TOUCH_ANSWER:
		wrong = operation_take_answer(worker, &operation->incoming);
		break;
	default:
		if (operation_begins(frame))
			wrong = operation_admit(operation);
	}
	if (wrong != NULL)
		worker_fail(worker, wrong);
	return operation_begins(frame);
}

/* One-shot: whoever is woken has the turn until it is given back. */
static bool give_turn_back(struct ks_worker *worker, int how)
{
	struct epoll_event wish = {.events = EPOLLIN | EPOLLONESHOT};

	return epoll_ctl(worker->turns, how, worker->channel.fd, &wish) == 0;
}

static void await_turn(struct ks_worker *worker)
{
	struct epoll_event event;
	int count;

	do {
		count = epoll_wait(worker->turns, &event, 1, -1);
	} while (count == 0 || (count < 0 && errno == EINTR));
	if (count < 0)
		worker_fail(worker, "it can't wait for the agent");
}

/* One turn of reading: returns with an operation to run. */
static void read_until_operation(struct ks_operation *operation)
{
	struct ks_worker *worker = operation->worker;

	await_turn(worker);
	pthread_mutex_lock(&worker->reading);
	do {
		switch (channel_receive(&worker->channel, &operation->incoming)) {
		case CHANNEL_END:
			worker_finish(worker);
		case CHANNEL_BAD:
			worker_fail(worker, "the agent sent a malformed frame");
		case CHANNEL_FRAME:
			break;
		}
	} while (!act_on_frame(operation));
	pthread_mutex_unlock(&worker->reading);
	if (!give_turn_back(worker, EPOLL_CTL_MOD))
		worker_fail(worker, "it can't wait for the agent");
}

static _Noreturn void run_operations(struct ks_operation *operation)
{
	for (;;) {
		read_until_operation(operation);
		operation_run(operation);
	}
}

static enum ks_error say_hello(struct ks_worker *worker)
{
	const struct frame hello = {.type = FRAME_HELLO,
		.hello = {.version = FRAME_VERSION,
			.name = bytes_of(worker->backend->needs->name),
			.parallel = worker->backend->parallel}};

	return channel_send(&worker->channel, &hello);
}

static bool backend_is_complete(const struct ks_backend *backend)
{
	return backend->version == KEYSTILE_BACKEND_VERSION && backend->parallel >= 1 &&
	       backend->parallel <= PARALLEL_MAX && backend->open != NULL &&
	       backend->list != NULL && backend->login != NULL && backend->sign != NULL &&
	       backend->close != NULL && (backend->add == NULL) == (backend->remove == NULL);
}

static struct ks_worker *worker_new(const struct ks_backend *backend, int channel_fd, int memory_fd)
{
	struct ks_worker *worker = calloc(1, sizeof(*worker));
	pthread_condattr_t monotonic;

	if (worker == NULL)
		return NULL;
	worker->backend = backend;
	channel_init(&worker->channel, channel_fd);
	worker->memory_fd = memory_fd;
	worker->turns = epoll_create1(EPOLL_CLOEXEC);
	pthread_mutex_init(&worker->reading, NULL);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	for (unsigned i = 0; i <= backend->parallel; i++)
		operation_init(&worker->operations[i], worker);
	report_init(worker);
	return worker;
}

static _Noreturn void *thread_main(void *argument)
{
	struct ks_operation *operation = argument;

	pthread_barrier_wait(&operation->worker->begun);
	run_operations(operation);
}

/* All have begun when it returns: none is half made when the process ends a moment later. */
enum ks_error worker_start_threads(struct ks_worker *worker)
{
	if (pthread_barrier_init(&worker->begun, NULL, worker->backend->parallel + 1) != 0)
		return KS_NO_MEMORY;
	for (unsigned i = 1; i <= worker->backend->parallel; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, thread_main, &worker->operations[i]) != 0)
			return KS_NO_MEMORY;
		pthread_detach(thread);
	}
	pthread_barrier_wait(&worker->begun);
	return KS_OK;
}

static _Noreturn void fail_to_start(const struct ks_backend *backend, const char *why)
{
	fprintf(stderr, "keystile-worker-%s: %s\n", backend->needs->name, why);
	_exit(2);
}

void worker_run(const struct ks_backend *backend, int channel_fd, int memory_fd)
{
	if (!backend_is_complete(backend))
		fail_to_start(backend, "its table lacks a function or is of another version");
	struct ks_worker *worker = worker_new(backend, channel_fd, memory_fd);
	if (worker == NULL || !give_turn_back(worker, EPOLL_CTL_ADD) || say_hello(worker) != KS_OK)
		fail_to_start(backend, "no memory or descriptors");
	log_to(report_log, worker);
	run_operations(&worker->operations[0]);
}
