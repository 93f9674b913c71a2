/*
 * keystile-fido2-token: speaks with one security key, whose device and the worker's socket it was
 * given open. It gives up its rights before it reads a byte of either, holds nothing but the
 * present request, and ends with its socket. What breaks in here breaks one token's requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/secret.h>

#include "confine.h"
#include "harden.h"
#include "hidraw.h"
#include "perform.h"

extern KS_NEEDS(fido2);

/* NULL, or what could not be given up. */
static const char *give_up(void)
{
	const char *kept = harden_program(true);

	if (kept == NULL && close_range(TOKEN_DEVICE_FD + 1, ~0U, 0) != 0)
		return "descriptors that are not its own";
	if (kept == NULL && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return "a life after the worker's";
	return kept;
}

static void send_answer(const struct token_answer *answer)
{
	AUTO(buf) out = {.max = TOKEN_ANSWER_MAX};

	token_answer_encode(answer, &out);
	if (buf_status(&out) != KS_OK ||
		send(TOKEN_CALL_FD, out.data, out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
		_exit(1);
}

static void on_waits(void *owner, bool touch)
{
	(void)owner;
	send_answer(&(struct token_answer){.kind = touch ? TOKEN_WAITS : TOKEN_WORKS});
}

/* Its socket is readable while a request is in work: nothing but a cancel may come now. */
static bool on_wish(void *owner)
{
	uint8_t message[TOKEN_CALL_MAX];
	ssize_t got = recv(TOKEN_CALL_FD, message, sizeof(message), 0);
	struct token_call call;

	(void)owner;
	if (got < 0 && errno == EINTR)
		return false;
	if (got <= 0 || token_call_decode(BYTES(message, (size_t)got), &call) != KS_OK ||
		call.kind != TOKEN_CANCEL)
		_exit(1);
	return true;
}

/* What went wrong on the way says more than what libfido2 made of it. */
static int32_t code_of(const struct hidraw *hidraw, int code)
{
	if (hidraw->gone)
		return TOKEN_CODE_GONE;
	if (hidraw->cancelling)
		return TOKEN_CODE_CANCELLED;
	if (hidraw->busy)
		return FIDO_ERR_CHANNEL_BUSY;
	return hidraw->late ? TOKEN_CODE_LATE : code;
}

/*
 * One that did not answer getInfo, or nonsense, is opened by libfido2 as one that knows U2F alone;
 * so is one that says by an error that it does not know getInfo, and that is right.
 */
static int32_t opening_code(const struct hidraw *hidraw, const fido_dev_t *device, int code)
{
	if (code == FIDO_OK && hidraw->answered && !fido_dev_is_fido2(device))
		return FIDO_ERR_RX_INVALID_CBOR;
	return code_of(hidraw, code);
}

static int32_t code_for(
	const struct hidraw *hidraw, const fido_dev_t *device, enum token_call_kind kind, int code)
{
	if (kind == TOKEN_OPEN)
		return opening_code(hidraw, device, code);
	return code == FIDO_OK ? TOKEN_CODE_OK : code_of(hidraw, code);
}

static void carry_out(struct hidraw *hidraw, fido_dev_t *device, const struct token_call *call)
{
	AUTO(buf) body = {.max = TOKEN_ANSWER_MAX - 64};
	struct token_answer answer = {.kind = TOKEN_DONE};

	hidraw_begin(hidraw, call->timeout_ms, call->busy_ms);
	answer.code = code_for(hidraw, device, call->kind, perform(device, call, &body));
	if (!hidraw_settle(hidraw) && answer.code != TOKEN_CODE_OK)
		answer.code = TOKEN_CODE_LATE;
	else if (buf_status(&body) != KS_OK)
		answer.code = FIDO_ERR_RX_INVALID_CBOR;
	else if (answer.code == TOKEN_CODE_OK)
		answer.body = buf_bytes(&body);
	send_answer(&answer);
}

/* False at the end. A cancel that crossed the answer it was for means nothing any more. */
static bool serve_one(struct hidraw *hidraw, fido_dev_t *device, struct secret *message)
{
	ssize_t got = recv(TOKEN_CALL_FD, message->data, TOKEN_CALL_MAX, 0);
	struct token_call call;

	if (got < 0 && errno == EINTR)
		return true;
	if (got <= 0)
		return false;
	message->len = (size_t)got;
	message->data[got] = '\0'; /* behind the PIN */
	if (token_call_decode(BYTES(message->data, message->len), &call) != KS_OK)
		return false;
	if (call.kind != TOKEN_CANCEL)
		carry_out(hidraw, device, &call);
	secret_wipe(message);
	return true;
}

static void serve(void)
{
	struct hidraw hidraw = {.device = TOKEN_DEVICE_FD,
		.wishes = TOKEN_CALL_FD,
		.cancelled = on_wish,
		.waits = on_waits};
	struct secret message = {0};
	fido_dev_t *device = fido_dev_new();

	if (device == NULL || !hidraw_attach(&hidraw, device) ||
		secret_init(&message, TOKEN_CALL_MAX + 1) != KS_OK)
		_exit(1);
	while (serve_one(&hidraw, device, &message))
		;
	secret_deinit(&message);
	(void)fido_dev_close(device);
	fido_dev_free(&device);
}

int main(void)
{
	const char *kept = give_up();
	struct frame_confined told;

	if (kept != NULL) {
		fprintf(stderr, "keystile-fido2-token: can't give up %s\n", kept);
		return 2;
	}
	log_start("keystile-fido2-token", LOG_LEVEL_WARNING);
	fido_init(0);
	if (confine_process(&ks_needs_fido2, NULL, BYTES(NULL, 0), &told, NULL) != KS_OK) {
		send_answer(&(struct token_answer){.kind = TOKEN_DONE, .code = TOKEN_CODE_CONFINE});
		return 2;
	}
	serve();
	return 0;
}
