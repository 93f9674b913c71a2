/*
 * The services of backend.h that concern one operation: how long it has left, and
 * what it may ask the person for. The agent checks all of this again.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "operation.h"

static int64_t left_ns(const struct ks_operation *operation)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (operation->deadline.tv_sec - now.tv_sec) * INT64_C(1000000000) +
	       (operation->deadline.tv_nsec - now.tv_nsec);
}

int ks_time_left_ms(const struct ks_operation *operation)
{
	int64_t left = operation == NULL ? INT_MAX : left_ns(operation) / 1000000;

	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

bool operation_is_over(const struct ks_operation *operation)
{
	return atomic_load(&operation->cancelled) || left_ns(operation) <= 0;
}

bool ks_cancelled(const struct ks_operation *operation)
{
	return operation != NULL && operation_is_over(operation);
}

/* A timer, so that it becomes readable at the deadline too; cancelling sets it to now. */
static int cancel_timer(const struct ks_operation *operation)
{
	struct itimerspec at = {.it_value = operation->deadline};
	AUTO(fd) fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (atomic_load(&operation->cancelled))
		at.it_value = (struct timespec){.tv_nsec = 1};
	if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
		return -1;
	return TAKE_FD(fd);
}

int ks_cancel_fd(const struct ks_operation *operation)
{
	if (operation == NULL)
		return -1;
	struct ks_worker *worker = operation->worker;
	struct ks_operation *own = &worker->operations[operation - worker->operations];

	pthread_mutex_lock(&worker->lock);
	if (own->cancel_fd < 0)
		own->cancel_fd = cancel_timer(own);
	int fd = own->cancel_fd;
	pthread_mutex_unlock(&worker->lock);
	return fd;
}

/* ---- Questions ---- */

static void question_begin(struct ks_operation *operation, struct question *question)
{
	pthread_mutex_lock(&operation->worker->lock);
	*question = (struct question){.state = QUESTION_ASKED, .fd = -1};
	pthread_mutex_unlock(&operation->worker->lock);
}

/* Waits for the answer; *fd is what came with it and the caller's. */
static enum ks_error question_await(
	struct ks_operation *operation, struct question *question, int *fd)
{
	struct ks_worker *worker = operation->worker;
	enum ks_error verdict = KS_CANCELLED;

	pthread_mutex_lock(&worker->lock);
	while (question->state == QUESTION_ASKED && !operation_is_over(operation))
		pthread_cond_timedwait(&operation->answered, &worker->lock, &operation->deadline);
	if (question->state == QUESTION_ANSWERED) {
		verdict = question->verdict;
		*fd = TAKE_FD(question->fd);
		question->state = QUESTION_NONE;
	} else {
		question->state = QUESTION_GIVEN_UP;
	}
	pthread_mutex_unlock(&worker->lock);
	return verdict;
}

/* An answer to this frame comes into question. */
static enum ks_error ask(struct ks_operation *operation, const struct frame *frame,
	struct question *question, int *fd)
{
	if (operation_is_over(operation))
		return KS_CANCELLED;
	question_begin(operation, question);
	enum ks_error error = channel_send(&operation->worker->channel, frame);
	if (error != KS_OK)
		return error;
	return question_await(operation, question, fd);
}

enum ks_error operation_read_pin(int fd, struct secret *pin)
{
	enum ks_error error = secret_init(pin, KS_PIN_MAX);

	if (error == KS_OK)
		error = secret_read(pin, fd);
	if (error == KS_OK && (pin->len == 0 || memchr(pin->data, '\0', pin->len) != NULL))
		error = KS_BAD_INPUT;
	if (error != KS_OK)
		secret_deinit(pin);
	return error;
}

enum ks_error ks_ask_pin(struct ks_operation *operation, const struct ks_token *token, bool retry,
	struct secret *pin)
{
	const struct frame frame = {.type = FRAME_ASK_PIN,
		.operation = operation->id,
		.ask_pin = {.token = token->id,
			.tries_left = token->tries_left < 0 ? KS_TRIES_UNKNOWN : token->tries_left,
			.flags = token->flags & TOKEN_FLAGS_KNOWN,
			.retry = retry}};
	AUTO(fd) fd = -1;

	*pin = (struct secret){0};
	enum ks_error error = ask(operation, &frame, &operation->pin, &fd);
	if (error != KS_OK)
		return error;
	error = operation_read_pin(fd, pin);
	if (error != KS_OK)
		log_error("the PIN that was given is empty, too long or not text");
	operation->pin_given = operation->pin_given || error == KS_OK;
	return error;
}

enum ks_error ks_touch_awaited(struct ks_operation *operation, const struct ks_token *token)
{
	const struct frame frame = {.type = FRAME_TOUCH_AWAITED,
		.operation = operation->id,
		.gone = {.token = token->id}};
	AUTO(fd) fd = -1;
	enum ks_error error = ask(operation, &frame, &operation->touch, &fd);

	operation->touch_shown = operation->touch_shown || error == KS_OK;
	return error;
}

/* ---- Statements ---- */

/* Frames of a few bytes: only a machine without any memory left loses one. */
static void tell(struct ks_operation *operation, const struct frame *frame)
{
	if (channel_send(&operation->worker->channel, frame) != KS_OK)
		log_error("no memory to tell the agent: %s", frame_type_name(frame->type));
}

void ks_touch_over(struct ks_operation *operation)
{
	const struct frame frame = {.type = FRAME_TOUCH_OVER, .operation = operation->id};

	if (operation->touch_shown)
		tell(operation, &frame);
	operation->touch_shown = false;
}

void ks_waits_for(struct ks_operation *operation, uint32_t token)
{
	const struct frame frame = {
		.type = FRAME_WAITS, .operation = operation->id, .gone = {.token = token}};

	tell(operation, &frame);
}

void ks_presence_given(struct ks_operation *operation, enum ks_presence presence)
{
	struct frame frame = {.type = FRAME_PRESENCE,
		.operation = operation->id,
		.presence = {.presence = presence & (KS_PRESENCE_TOUCH | KS_PRESENCE_PIN |
							    KS_PRESENCE_PIN_PAD)}};

	if ((presence & KS_PRESENCE_PIN) != 0 && !operation->pin_given) {
		log_error("the backend claims a PIN that was not given for this request");
		frame.presence.presence &= ~(uint32_t)KS_PRESENCE_PIN;
	}
	if (frame.presence.presence != KS_PRESENCE_NONE)
		tell(operation, &frame);
}

void ks_progress(struct ks_operation *operation, const char *format, ...)
{
	char line[FRAME_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	int len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	const struct frame frame = {.type = FRAME_PROGRESS,
		.operation = operation->id,
		.text = {.text = bytes_of(line)}};
	if (len > 0)
		tell(operation, &frame);
}

void ks_explain(struct ks_operation *operation, const char *format, ...)
{
	va_list arguments;

	if (operation == NULL)
		return;
	free(operation->words);
	va_start(arguments, format);
	operation->words = text_format_list(format, arguments);
	va_end(arguments);
}
