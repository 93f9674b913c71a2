/*
 * A hostile security key: its reports go the whole way through our transport and libfido2 to what
 * the worker is told. The input is what it answers, in pieces (a kind, two bytes of length, data);
 * a thread plays the token, since each answer has to come after its question.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <keystile/buffer.h>
#include <keystile/cleanup.h>

#include "hidraw.h"
#include "perform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *count, char ***words);
const char *__asan_default_options(void);

#define PATIENCE_MS 20
#define BUSY_MS 2
#define COMMAND_INIT 0x86
#define COMMAND_KEEPALIVE 0xbb
#define COMMAND_ERROR 0xbf

enum piece_kind { PIECE_ANSWER, PIECE_REPORT, PIECE_KEEPALIVE, PIECE_ERROR, PIECE_KINDS };

struct hostile_token {
	int socket;
	struct bytes left;
	uint8_t capabilities;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* ---- The token ---- */

static uint8_t take_byte(struct hostile_token *token)
{
	if (token->left.len == 0)
		return 0;
	token->left.len--;
	return *token->left.data++;
}

static struct bytes take_piece(struct hostile_token *token)
{
	size_t len = (size_t)take_byte(token) << 8;
	struct bytes piece;

	len |= take_byte(token);
	piece = token->left;
	if (piece.len > len)
		piece.len = len;
	token->left = BYTES(token->left.data + piece.len, token->left.len - piece.len);
	return piece;
}

static bool put_report(const struct hostile_token *token, const uint8_t *report)
{
	return send(token->socket, report, HID_REPORT_BYTES, MSG_NOSIGNAL) == HID_REPORT_BYTES;
}

/* In as many reports as it takes. */
static bool put_message(const struct hostile_token *token, const uint8_t *channel, uint8_t command,
	struct bytes message)
{
	uint8_t report[HID_REPORT_BYTES] = {0};
	size_t done = message.len < 57 ? message.len : 57;

	memcpy(report, channel, 4);
	report[4] = command;
	report[5] = (uint8_t)(message.len >> 8);
	report[6] = (uint8_t)message.len;
	if (done > 0)
		memcpy(report + 7, message.data, done);
	if (!put_report(token, report))
		return false;
	for (uint8_t sequence = 0; done < message.len; sequence++) {
		size_t part = message.len - done < 59 ? message.len - done : 59;

		memset(report + 4, 0, sizeof(report) - 4);
		report[4] = sequence & 0x7f;
		memcpy(report + 5, message.data + done, part);
		if (!put_report(token, report))
			return false;
		done += part;
	}
	return true;
}

static bool answer_init(const struct hostile_token *token, const uint8_t *request)
{
	uint8_t answer[17] = {0};

	memcpy(answer, request + 7, 8);
	memset(answer + 8, 7, 4);
	answer[12] = 2;
	answer[16] = token->capabilities;
	return put_message(token, request, COMMAND_INIT, BYTES(answer, sizeof(answer)));
}

/* False: it has nothing more to say. */
static bool answer_with_pieces(struct hostile_token *token, const uint8_t *request)
{
	uint8_t report[HID_REPORT_BYTES] = {0};
	enum piece_kind kind = PIECE_REPORT;
	bool sent = true;

	while (sent && (kind == PIECE_REPORT || kind == PIECE_KEEPALIVE)) {
		struct bytes piece;

		if (token->left.len == 0)
			return false;
		kind = (enum piece_kind)(take_byte(token) % PIECE_KINDS);
		piece = take_piece(token);
		memset(report, 0, sizeof(report));
		if (piece.len > 0)
			memcpy(report, piece.data, piece.len < 64 ? piece.len : 64);
		if (kind == PIECE_REPORT)
			sent = put_report(token, report);
		else if (kind == PIECE_KEEPALIVE)
			sent = put_message(token, request, COMMAND_KEEPALIVE, BYTES(report, 1));
		else if (kind == PIECE_ERROR)
			sent = put_message(token, request, COMMAND_ERROR, BYTES(report, 1));
		else
			sent = put_message(token, request, request[4], piece);
	}
	return sent;
}

static void *play(void *argument)
{
	struct hostile_token *token = argument;
	uint8_t report[HID_REPORT_BYTES + 1];
	bool more = true;

	while (more && recv(token->socket, report, sizeof(report), 0) == sizeof(report)) {
		const uint8_t *request = report + 1;

		if (request[4] == COMMAND_INIT)
			more = answer_init(token, request);
		else if ((request[4] & 0x80) != 0)
			more = answer_with_pieces(token, request);
	}
	shutdown(token->socket, SHUT_RDWR);
	return NULL;
}

/* ---- Whom it is plugged into ---- */

static bool on_wish(void *owner)
{
	(void)owner;
	return false;
}

static void on_waits(void *owner, bool touch)
{
	(void)owner;
	(void)touch;
}

/* True: it went well; what the worker is told then can be read. */
static bool carry_out(struct hidraw *hidraw, fido_dev_t *device, const struct token_call *call)
{
	AUTO(buf) body = {.max = TOKEN_ANSWER_MAX - 64};
	struct token_info info;
	struct token_assertion assertion;
	struct token_description said;
	int code = FIDO_OK;

	hidraw_begin(hidraw, PATIENCE_MS, BUSY_MS);
	code = perform(device, call, &body);
	(void)hidraw_settle(hidraw);
	if (code != FIDO_OK || buf_status(&body) != KS_OK)
		return false;
	if (call->kind == TOKEN_OPEN)
		require(token_info_decode(buf_bytes(&body), &info) == KS_OK);
	if (call->kind == TOKEN_ASSERT)
		require(token_assertion_decode(buf_bytes(&body), &assertion) == KS_OK);
	if (call->kind == TOKEN_DESCRIBE)
		require(token_description_decode(buf_bytes(&body), &said) == KS_OK);
	return true;
}

static void use(struct hidraw *hidraw, fido_dev_t *device)
{
	static const uint8_t hash[TOKEN_HASH_BYTES];
	struct token_call call = {.kind = TOKEN_OPEN, .timeout_ms = PATIENCE_MS};

	if (!carry_out(hidraw, device, &call))
		return;
	call.kind = TOKEN_TRIES;
	(void)carry_out(hidraw, device, &call);
	call.kind = TOKEN_ASSERT;
	call.application = bytes_of("ssh:");
	call.handle = BYTES(hash, 16);
	call.hash = BYTES(hash, sizeof(hash));
	(void)carry_out(hidraw, device, &call);
	call.present = call.verified = true;
	call.pin = bytes_of("1234");
	(void)carry_out(hidraw, device, &call);
	call.kind = TOKEN_RESIDENT;
	(void)carry_out(hidraw, device, &call);
	call.kind = TOKEN_DESCRIBE;
	(void)carry_out(hidraw, device, &call);
	(void)fido_dev_close(device);
}

/*
 * libcbor asks for as much memory as a map claims to have. Where it gets it, it touches none of it,
 * and where it does not, it says so: neither is a finding.
 */
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

int LLVMFuzzerInitialize(int *count, char ***words)
{
	static char no_limit[] = "-malloc_limit_mb=-1";
	char **more = calloc((size_t)*count + 2, sizeof(*more));

	require(more != NULL);
	memcpy(more, *words, (size_t)*count * sizeof(*more));
	more[(*count)++] = no_limit;
	*words = more;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int sockets[2];
	struct hostile_token token = {.left = BYTES(data, len)};
	struct hidraw hidraw = {.wishes = -1, .cancelled = on_wish, .waits = on_waits};
	fido_dev_t *device = NULL;
	pthread_t thread;

	fido_init(0);
	device = fido_dev_new();
	require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0);
	token.socket = sockets[0];
	token.capabilities = take_byte(&token);
	hidraw.device = sockets[1];
	require(device != NULL && hidraw_attach(&hidraw, device));
	require(pthread_create(&thread, NULL, play, &token) == 0);
	use(&hidraw, device);
	shutdown(sockets[1], SHUT_RDWR);
	require(pthread_join(thread, NULL) == 0);
	close(sockets[0]);
	close(sockets[1]);
	fido_dev_free(&device);
	return 0;
}
