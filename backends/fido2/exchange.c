/*
 * Requests to the processes of security keys, and waiting for them: for one, or for the first of
 * several that a person touches.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "code.h"
#include "session.h"

#define EXCHANGES_MAX 32
/* What a process gets beyond its token's time, and all have for letting go of a cancelled one. */
#define GRACE_MS 1500

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void end_with(struct exchange *exchange, int32_t code)
{
	exchange->pending = false;
	exchange->code = code;
}

static void distrust(struct exchange *exchange, const char *why)
{
	log_error("a security key's process %s", why);
	session_end(exchange->session);
	end_with(exchange, TOKEN_CODE_LATE);
}

/* Its process may not have seen it yet. */
static void take_removal(struct exchange *exchange)
{
	session_end(exchange->session);
	end_with(exchange, TOKEN_CODE_GONE);
}

/* The PIN goes from where it is into the socket. */
static void send_call(const struct session *session, const struct token_call *call)
{
	AUTO(buf) out = {.max = TOKEN_CALL_MAX};
	struct iovec parts[2];
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	token_call_encode(call, &out);
	if (buf_status(&out) != KS_OK)
		return;
	parts[0] = (struct iovec){.iov_base = out.data, .iov_len = out.len};
	parts[1] = (struct iovec){
		.iov_base = (void *)(uintptr_t)call->pin.data, .iov_len = call->pin.len};
	/* A process that has ended is heard of by its socket. */
	(void)sendmsg(session->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void cancel_all(struct exchange *exchanges, size_t count)
{
	const struct token_call cancel = {.kind = TOKEN_CANCEL};

	for (size_t i = 0; i < count; i++)
		if (exchanges[i].pending)
			send_call(exchanges[i].session, &cancel);
}

static void take_done(struct exchange *exchange, const struct token_answer *answer)
{
	end_with(exchange, answer->code);
	if (answer->code == TOKEN_CODE_OK)
		buf_put(&exchange->body, answer->body);
	if (buf_status(&exchange->body) != KS_OK)
		exchange->code = TOKEN_CODE_LATE;
	if (code_ends_session(exchange->code))
		session_end(exchange->session);
}

static enum ks_error take_answer(struct exchange *exchange, const struct exchange_watch *watch)
{
	uint8_t message[TOKEN_ANSWER_MAX];
	ssize_t got = recv(exchange->session->socket, message, sizeof(message), MSG_DONTWAIT);
	struct token_answer answer;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return KS_OK;
	if (got <= 0)
		distrust(exchange, "ended");
	else if (token_answer_decode(BYTES(message, (size_t)got), &answer) != KS_OK)
		distrust(exchange, "sent something that makes no sense");
	else if (answer.kind == TOKEN_DONE)
		take_done(exchange, &answer);
	else if (watch->waits != NULL)
		return watch->waits(watch->owner, exchange, answer.kind == TOKEN_WAITS);
	return KS_OK;
}

/* Some are still to be waited for, and none has gone well. */
static bool undecided(const struct exchange *exchanges, size_t count)
{
	bool pending = false;

	for (size_t i = 0; i < count; i++) {
		if (!exchanges[i].pending && exchanges[i].code == TOKEN_CODE_OK)
			return false;
		pending |= exchanges[i].pending;
	}
	return pending;
}

static bool any_pending(const struct exchange *exchanges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (exchanges[i].pending)
			return true;
	return false;
}

/* Waits for one answer, at most until end; other is a descriptor that ends it too, or -1. */
static enum ks_error step(struct exchange *exchanges, size_t count,
	const struct exchange_watch *watch, int other, int64_t end)
{
	struct pollfd events[2 * EXCHANGES_MAX + 1];
	int64_t left = end - now_ms();
	enum ks_error error = KS_OK;
	int ready;

	for (size_t i = 0; i < count; i++) {
		const struct exchange *one = &exchanges[i];

		events[i] = (struct pollfd){
			.fd = one->pending ? one->session->socket : -1, .events = POLLIN};
		events[count + i] = (struct pollfd){
			.fd = one->pending ? one->session->removed : -1, .events = POLLIN};
	}
	events[2 * count] = (struct pollfd){.fd = other, .events = POLLIN};
	ready = poll(events, 2 * count + 1, left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left);
	if (ready < 0)
		return errno == EINTR ? KS_OK : KS_DEVICE_FAILED;
	for (size_t i = 0; i < count && error == KS_OK; i++) {
		if (events[i].revents != 0)
			error = take_answer(&exchanges[i], watch);
		if (events[count + i].revents != 0 && exchanges[i].pending)
			take_removal(&exchanges[i]);
	}
	return error;
}

/* A moment for those that were told to cancel; a process that has not by then is killed. */
static void settle(struct exchange *exchanges, size_t count)
{
	const struct exchange_watch nobody = {0};
	int64_t end = now_ms() + GRACE_MS;

	cancel_all(exchanges, count);
	while (any_pending(exchanges, count) && now_ms() < end)
		if (step(exchanges, count, &nobody, -1, end) != KS_OK)
			break;
	for (size_t i = 0; i < count; i++)
		if (exchanges[i].pending)
			distrust(&exchanges[i], "did not let go of its request");
}

static int64_t begin(struct exchange *exchanges, size_t count)
{
	int64_t longest = 0;

	for (size_t i = 0; i < count; i++) {
		buf_init(&exchanges[i].body, TOKEN_ANSWER_MAX);
		end_with(&exchanges[i], TOKEN_CODE_LATE);
		if (exchanges[i].session->pid == 0)
			continue; /* what it said before ended it */
		exchanges[i].pending = true;
		send_call(exchanges[i].session, &exchanges[i].call);
		if (exchanges[i].call.timeout_ms > longest)
			longest = exchanges[i].call.timeout_ms;
	}
	return now_ms() + longest + GRACE_MS;
}

enum ks_error exchange_run(
	struct exchange *exchanges, size_t count, const struct exchange_watch *watch)
{
	int over = ks_cancel_fd(watch->operation);
	enum ks_error error = KS_OK;
	int64_t end;

	if (count > EXCHANGES_MAX)
		return KS_UNSUPPORTED;
	end = begin(exchanges, count);
	while (error == KS_OK && undecided(exchanges, count) && now_ms() < end) {
		error = step(exchanges, count, watch, over, end);
		if (error == KS_OK && ks_cancelled(watch->operation))
			error = KS_CANCELLED;
	}
	settle(exchanges, count);
	return error;
}
