/*
 * keystile-library-call: loads one security key library, makes one call into it and ends. It is a
 * program and not a forked part of the worker, so that nothing of the worker's is in its memory and
 * no lock that another thread of the worker held at that moment is held for ever in here.
 * It gives up its rights before it reads a byte, and keeps but the socket of its answer from there
 * on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "channel.h"
#include "confine.h"
#include "harden.h"
#include "library.h"
#include "report.h"

extern KS_NEEDS(middleware);

#define READ_BYTES ((size_t)64 * 1024)

/* What its library starts gets no end of the socket by exec(). */
static bool keep_descriptors(bool memory)
{
	int last = memory ? LIBRARY_CALL_MEMORY_FD : LIBRARY_CALL_SECRET_FD;

	return fcntl(LIBRARY_CALL_ANSWER_FD, F_SETFD, FD_CLOEXEC) == 0 &&
	       close_range((unsigned)last + 1, ~0U, 0) == 0;
}

/* NULL, or what could not be given up. */
static const char *give_up(bool memory)
{
	const char *kept = harden_program(true);

	harden_explain_crashes();
	if (kept == NULL && !keep_descriptors(memory))
		return "descriptors other than its own";
	if (kept == NULL && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return "a life after the worker's";
	return kept;
}

static enum ks_error read_request(struct buf *request)
{
	ssize_t got;

	buf_init(request, LIBRARY_CALL_MAX + READ_BYTES);
	do {
		uint8_t *room = buf_reserve(request, READ_BYTES);

		if (room == NULL)
			return KS_NO_MEMORY;
		got = read(LIBRARY_CALL_REQUEST_FD, room, READ_BYTES);
		if (got > 0)
			request->len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	close(LIBRARY_CALL_REQUEST_FD);
	return got == 0 ? KS_OK : KS_BAD_INPUT;
}

static void sign(const struct library_call *call, struct buf *answer)
{
	struct secret secret;
	enum ks_error error = secret_init(&secret, LIBRARY_SECRET_MAX);

	if (error == KS_OK)
		error = secret_read(&secret, LIBRARY_CALL_SECRET_FD);
	close(LIBRARY_CALL_SECRET_FD);
	if (error == KS_OK)
		library_sign(call, &secret, answer);
	else
		library_answer_error(answer, error, "the key handle could not be handed over");
	secret_deinit(&secret);
}

/* As a worker that runs a library itself: the agent gets the memory, and hears what is refused. */
static enum ks_error hand_over_memory(struct channel *channel, bool memory, bool brokered)
{
	const struct frame frame = {.type = FRAME_MEMORY, .operation = LIBRARY_CALL_OPERATION};
	enum ks_error error = KS_OK;

	if (memory && brokered)
		error = channel_send_with(channel, &frame, LIBRARY_CALL_MEMORY_FD);
	if (memory)
		close(LIBRARY_CALL_MEMORY_FD);
	return error;
}

/* It may need a file that a library has by now: after the request, before the library. */
static bool confined(struct channel *channel, bool memory, const struct library_call *call)
{
	struct frame frame = {.type = FRAME_CONFINED, .operation = LIBRARY_CALL_OPERATION};
	bool brokered = confine_is_brokered(call->grants);
	AUTO(fd) notifications = -1;

	if (hand_over_memory(channel, memory, brokered) != KS_OK ||
		confine_process(&ks_needs_middleware, call->path, call->grants, &frame.confined,
			brokered ? &notifications : NULL) != KS_OK)
		return false;
	report_denials(channel);
	return channel_send_with(channel, &frame, notifications) == KS_OK;
}

static void carry_out(struct channel *channel, bool memory, struct buf *answer)
{
	AUTO(buf) request = {0};
	struct library_call call;
	enum ks_error error = read_request(&request);

	if (error == KS_OK)
		error = library_call_decode(buf_bytes(&request), &call);
	if (error == KS_UNSUPPORTED)
		library_answer_error(answer, KS_DEVICE_FAILED,
			"keystile was upgraded while its agent ran: start the agent anew");
	else if (error != KS_OK)
		library_answer_error(answer, error, "the request to the library is malformed");
	/* PR_SET_PDEATHSIG came too late for a worker that had ended before. */
	else if (getppid() != (pid_t)call.worker)
		_exit(1);
	else if (!confined(channel, memory, &call))
		library_answer_error(answer, KS_DEVICE_FAILED, "the library could not be confined");
	else if (call.kind == LIBRARY_SIGN)
		sign(&call, answer);
	else
		library_check(&call, answer);
}

int main(void)
{
	bool memory = confine_open_memory(LIBRARY_CALL_MEMORY_FD);
	const char *kept = give_up(memory);
	AUTO(buf) answer = {0};
	struct channel channel;

	if (kept != NULL) {
		fprintf(stderr, "keystile-library-call: can't give up %s\n", kept);
		return 2;
	}
	log_start("keystile-library-call", LOG_LEVEL_WARNING);
	channel_init(&channel, LIBRARY_CALL_ANSWER_FD);
	buf_init(&answer, LIBRARY_ANSWER_MAX);
	carry_out(&channel, memory, &answer);
	const struct frame done = {.type = FRAME_DONE,
		.operation = LIBRARY_CALL_OPERATION,
		.done = {.result = buf_bytes(&answer)}};
	/* Who does not get it sees the end of the socket. */
	if (buf_status(&answer) != KS_OK || channel_send(&channel, &done) != KS_OK)
		_exit(1);
	_exit(0); /* what the library wants done at exit is not waited for */
}
