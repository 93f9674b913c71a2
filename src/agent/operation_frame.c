/*
 * What a worker and the agent say to each other about an operation that runs: questions to the
 * person and their answers, what the worker vouches for, and the end.
 */
#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "agent.h"
#include "operation.h"

static struct operation *find(struct worker *worker, uint32_t id)
{
	for (struct operation *operation = worker->operations; operation != NULL;
		operation = operation->next)
		if (operation->id == id)
			return operation;
	return NULL;
}

/* A worker that can't be written to is about to be noticed as gone by its stream. */
static void send_frame(struct worker *worker, const struct frame *frame, int fd)
{
	AUTO(buf) out = {0};

	frame_encode(frame, &out);
	if (stream_send(&worker->stream, &out, fd) != KS_OK)
		log_debug("worker %s takes no more frames", worker->needs->name);
}

void operation_cancel(struct operation *operation)
{
	struct frame frame = {.type = FRAME_CANCEL, .operation = operation->id};

	if (operation->cancel_sent)
		return;
	operation->cancel_sent = true;
	send_frame(operation->worker, &frame, -1);
}

static enum ks_error on_done(struct operation *operation, const struct frame *frame)
{
	struct worker *worker = operation->worker;
	enum ks_error error = (enum ks_error)frame->done.error;

	if (operation->type == FRAME_SIGN)
		quiet_note(
			&worker->quiet, operation_token(operation), uv_now(&worker->agent->loop));
	/* Who asked is still there, so it was the deadline that cancelled it. */
	if (error == KS_CANCELLED && operation->cancel_sent)
		error = KS_TIMEOUT;
	operation_end(operation, error, frame->done.words, frame->done.result);
	operations_continue(worker);
	return KS_OK;
}

static struct operation *first_asking(const struct worker *worker, uint32_t token)
{
	for (struct operation *operation = worker->operations; operation != NULL;
		operation = operation->next)
		if (operation->running && operation->asking && operation->token == token &&
			operation->events != NULL && operation->events->token_gone != NULL)
			return operation;
	return NULL;
}

/*
 * A library that waits for a token which is not there is not waited for. Where a key may be on any
 * token, another one is looked for.
 */
static void hurry(struct worker *worker, uint32_t token)
{
	uint64_t soon = uv_now(&worker->agent->loop) + OPERATION_GRACE_MS;

	if (worker->needs->keys_on_any_token)
		return;
	for (struct operation *operation = worker->operations; operation != NULL;
		operation = operation->next)
		if (operation->running && operation->token == token &&
			operation->type == FRAME_SIGN && operation->deadline_ms > soon)
			operation->deadline_ms = soon;
}

void operations_token_gone(struct worker *worker, uint32_t token)
{
	struct operation *operation;

	hurry(worker, token);
	/* Each of them ends, and with it what was asked. */
	while ((operation = first_asking(worker, token)) != NULL)
		operation->events->token_gone(operation);
}

/*
 * Where a key may be on any token, the worker says now which one it is on; the first token is said
 * where the person is to choose.
 */
static void note_token(struct operation *operation, uint32_t token)
{
	bool first = operation->touches_asked + operation->pins_asked == 1;
	bool real = token != operation->worker->first_token;

	if (!operation->worker->needs->keys_on_any_token)
		return;
	operation->token = token;
	operation->used = real && (first || operation->used == token) ? token : 0;
}

static enum ks_error on_ask_pin(struct operation *operation, const struct frame *frame)
{
	if (operation->asking || ++operation->pins_asked > OPERATION_PINS_MAX)
		return KS_BAD_INPUT;
	note_token(operation, frame->ask_pin.token);
	operation->asking = true;
	if (operation->events == NULL || operation->events->ask_pin == NULL)
		operation_answer_pin(operation, KS_PIN_NEEDED, -1);
	else
		operation->events->ask_pin(operation, frame->ask_pin.token,
			frame->ask_pin.tries_left, frame->ask_pin.retry);
	return KS_OK;
}

static enum ks_error on_touch_awaited(struct operation *operation, const struct frame *frame)
{
	if (operation->touch_asked || ++operation->touches_asked > OPERATION_TOUCHES_MAX)
		return KS_BAD_INPUT;
	note_token(operation, frame->gone.token);
	operation->touch_asked = operation->touching = true;
	operation->touch_asked_ms = uv_now(&operation->worker->agent->loop);
	if (operation->events == NULL || operation->events->touch == NULL)
		operation_answer_touch(operation, KS_OK);
	else
		operation->events->touch(operation, frame->gone.token, true);
	return KS_OK;
}

static enum ks_error on_waits(struct operation *operation, const struct frame *frame)
{
	operation->waits_for = frame->gone.token;
	if (operation->waits_for != 0 && operation->events != NULL &&
		operation->events->waits != NULL)
		operation->events->waits(operation);
	return KS_OK;
}

static enum ks_error on_presence(struct operation *operation, const struct frame *frame)
{
	/* Invariant 6: a PIN is vouched for only by a worker that was handed one. */
	if ((frame->presence.presence & KS_PRESENCE_PIN) != 0 && !operation->pin_given)
		return KS_BAD_INPUT;
	operation->presence |= frame->presence.presence;
	return KS_OK;
}

static enum ks_error on_touch_over(struct operation *operation)
{
	/* One that was never answered can't be over, and its clock would stand still for good. */
	if (operation->touch_asked)
		return KS_BAD_INPUT;
	operation->touching = false;
	if (operation->events != NULL && operation->events->touch != NULL)
		operation->events->touch(operation, 0, false);
	return KS_OK;
}

enum ks_error operation_handle(struct worker *worker, const struct frame *frame)
{
	struct operation *operation = find(worker, frame->operation);

	if (operation == NULL || !operation->running)
		return KS_BAD_INPUT;
	switch (frame->type) {
	case FRAME_DONE:
		return on_done(operation, frame);
	case FRAME_ASK_PIN:
		return on_ask_pin(operation, frame);
	case FRAME_TOUCH_AWAITED:
		return on_touch_awaited(operation, frame);
	case FRAME_TOUCH_OVER:
		return on_touch_over(operation);
	case FRAME_WAITS:
		return on_waits(operation, frame);
	case FRAME_PRESENCE:
		return on_presence(operation, frame);
	case FRAME_PROGRESS:
		return KS_OK;
	default:
		return KS_BAD_INPUT;
	}
}

void operation_answer_pin(struct operation *operation, enum ks_error verdict, int fd)
{
	struct frame frame = {.type = FRAME_PIN_ANSWER,
		.operation = operation->id,
		.answer = {.verdict = (uint32_t)verdict}};

	operation->asking = false;
	operation->pin_given = operation->pin_given || verdict == KS_OK;
	operation->deadline_ms = uv_now(&operation->worker->agent->loop) + operation->timeout_ms;
	send_frame(operation->worker, &frame, fd);
}

void operation_answer_touch(struct operation *operation, enum ks_error verdict)
{
	struct frame frame = {.type = FRAME_TOUCH_ANSWER,
		.operation = operation->id,
		.answer = {.verdict = (uint32_t)verdict}};

	operation->touch_asked = false;
	operation->deadline_ms +=
		uv_now(&operation->worker->agent->loop) - operation->touch_asked_ms;
	operation->touch_noticed = operation->touch_noticed || verdict == KS_OK;
	send_frame(operation->worker, &frame, -1);
}
