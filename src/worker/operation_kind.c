/*
 * The one table that says which function of the backend each kind calls, and what is done around
 * it: texts and secrets are taken from the frame, the process is confined before the provider
 * opens.
 */
#include "operation_kind.h"

#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "confine.h"
#include "operation.h"
#include "report.h"

#define LOCATE_GRACE_SECONDS 2

char *operation_text(struct bytes text)
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
	AUTO(text) provider = operation_text(operation->incoming.frame.locate.provider);

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
	if (error == KS_OK && !worker->backend->needs->library_apart)
		report_denials(&worker->channel);
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
		.demand = frame->sign.demand,
		.remote = frame->sign.remote};

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

const struct operation_kind *operation_kind(enum frame_type type)
{
	static const struct operation_kind kinds[] = {
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

	return type < sizeof(kinds) / sizeof(kinds[0]) && kinds[type].run != NULL ? &kinds[type]
										  : NULL;
}
