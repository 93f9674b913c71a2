/*
 * The worker's whole life: hello, locate, open, administer, quit. What it asks meanwhile is asked
 * in the terminal. It is as little trusted here as by the agent: a frame that is out of turn ends
 * it.
 */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <keystile/backends.h>
#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "../agent/config.h"

#include "child.h"
#include "control.h"
#include "pin.h"
#include "worker_channel.h"

#define OPEN_MS 30000
#define ADMINISTER_MS 300000 /* an RSA key takes a TPM a minute or two */
#define GRACE_MS 5000	     /* by which the worker itself ends an operation before we give up */
#define ASK_MAX 8	     /* questions in one operation */
#define LABELS_MAX 64
#define SOME_TOKEN "the token"

/* What the worker calls a token. */
struct label {
	uint32_t token;
	char *text; /* ready to be shown */
};

struct worker {
	struct worker_channel channel;
	pid_t pid;
	struct config config;
	const struct config_worker *configured; /* of that; NULL: nothing is */
	uint32_t operation;			/* the last one that was begun */
	unsigned asked;
	bool token_given;
	const char *token; /* from the wish, else the one that something is asked about */
	struct label labels[LABELS_MAX];
	unsigned label_count;
};

static enum ks_error broken(const char *words)
{
	complain("the worker %s", words);
	return KS_DEVICE_FAILED;
}

static enum ks_error send_frame(struct worker *worker, const struct frame *frame, int fd)
{
	enum ks_error error = worker_channel_send(&worker->channel, frame, fd);

	return error == KS_OK ? KS_OK : broken("is gone, or takes nothing");
}

static enum ks_error receive(struct worker *worker, struct frame *frame)
{
	enum ks_error error = worker_channel_receive(&worker->channel, frame);

	if (error == KS_TIMEOUT)
		return broken("does not come to an end: it hangs, or the token does");
	if (error == KS_DEVICE_FAILED)
		return broken("ended before it had answered");
	return error == KS_OK ? KS_OK : broken("sent what is no message");
}

/* ---- What it wants of the person ---- */

static char *pin_text(const struct worker *worker, const struct frame *frame)
{
	int32_t tries = frame->ask_pin.tries_left;

	if (tries == KS_TRIES_UNKNOWN)
		return text_format("The PIN of %s.\n", worker->token);
	return text_format(
		"The PIN of %s.\nWrong ones until it is locked: %d.\n", worker->token, tries);
}

static enum ks_error ask_pin(struct worker *worker, const struct frame *frame, int *pin)
{
	AUTO(text) text = pin_text(worker, frame);
	const struct pin_question question = {
		.text = text, .trouble = frame->ask_pin.retry ? "That was not the right PIN." : ""};

	return text == NULL ? KS_NO_MEMORY : pin_ask(&question, pin);
}

/* The clock of the operation stands still meanwhile, but for the worker's own. */
static enum ks_error answer_pin(struct worker *worker, const struct frame *frame)
{
	int64_t begun = channel_now_ms();
	AUTO(fd) pin = -1;
	enum ks_error verdict;

	if (++worker->asked > ASK_MAX)
		return broken("asks for PINs without end");
	verdict = ask_pin(worker, frame, &pin);
	worker->channel.deadline_ms += channel_now_ms() - begun;
	const struct frame answer = {.type = FRAME_PIN_ANSWER,
		.operation = frame->operation,
		.answer = {.verdict = verdict}};
	return send_frame(worker, &answer, pin);
}

static enum ks_error answer_touch(struct worker *worker, const struct frame *frame)
{
	const struct frame answer = {.type = FRAME_TOUCH_ANSWER,
		.operation = frame->operation,
		.answer = {.verdict = KS_OK}};

	if (++worker->asked > ASK_MAX)
		return broken("asks for touches without end");
	complain("touch %s now", worker->token);
	return send_frame(worker, &answer, -1);
}

/* ---- What it says ---- */

static void say(const struct frame *frame)
{
	AUTO(text) words = strndup((const char *)frame->text.text.data, frame->text.text.len);

	if (words != NULL &&
		(frame->type == FRAME_PROGRESS || frame->text.level <= LOG_LEVEL_WARNING))
		complain("%s", words);
}

static char *label_of(const struct ks_token *token)
{
	char quoted[TEXT_QUOTED_MAX];
	char place[TEXT_QUOTED_MAX];

	text_quote(bytes_of(token->label), quoted);
	if (token->location == NULL || *token->location == '\0')
		return strdup(quoted);
	return text_format("%s at %s", quoted, text_quote(bytes_of(token->location), place));
}

/* The last one is the one that is spoken of, unless a question names another. */
static void take_label(struct worker *worker, const struct frame *frame)
{
	const struct ks_token *token = &frame->token.token;
	unsigned place = 0;

	if (worker->token_given)
		return;
	while (place < worker->label_count && worker->labels[place].token != token->id)
		place++;
	if (place == LABELS_MAX)
		return;
	free(worker->labels[place].text);
	worker->labels[place] = (struct label){.token = token->id, .text = label_of(token)};
	if (place == worker->label_count)
		worker->label_count++;
	worker->token = worker->labels[place].text;
}

static void speak_of(struct worker *worker, uint32_t token)
{
	for (unsigned i = 0; i < worker->label_count; i++)
		if (worker->labels[i].token == token)
			worker->token = worker->labels[i].text;
	if (worker->token == NULL)
		worker->token = SOME_TOKEN;
}

static void forget_labels(struct worker *worker)
{
	for (unsigned i = 0; i < worker->label_count; i++)
		free(worker->labels[i].text);
}

/* What is not the end of an operation. */
static enum ks_error heed(struct worker *worker, const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_TOKEN:
		take_label(worker, frame);
		return KS_OK;
	case FRAME_ASK_PIN:
		speak_of(worker, frame->ask_pin.token);
		return answer_pin(worker, frame);
	case FRAME_TOUCH_AWAITED:
		speak_of(worker, frame->gone.token);
		return answer_touch(worker, frame);
	case FRAME_LOG:
	case FRAME_PROGRESS:
		say(frame);
		return KS_OK;
	case FRAME_TOKEN_GONE:
	case FRAME_CARD:
	case FRAME_TOUCH_OVER:
	case FRAME_PRESENCE:
	case FRAME_CONFINED:
	case FRAME_WAITS:
		return KS_OK;
	default:
		return broken("sent a message out of turn");
	}
}

/* ---- Operations ---- */

static enum ks_error finish(const struct frame *frame, struct buf *result)
{
	enum ks_error error = (enum ks_error)frame->done.error;
	AUTO(text) words = strndup((const char *)frame->done.words.data, frame->done.words.len);

	if (error == KS_OK) {
		buf_put(result, frame->done.result);
		return buf_status(result);
	}
	if (words != NULL && *words != '\0')
		complain("%s", words);
	else
		complain("%s", ks_error_text(error));
	return error;
}

static enum ks_error carry_out(struct worker *worker, const struct frame *begin, int fd,
	int patience_ms, struct buf *result)
{
	enum ks_error error = send_frame(worker, begin, fd);
	struct frame frame;

	worker->channel.deadline_ms = channel_now_ms() + patience_ms + GRACE_MS;
	while (error == KS_OK) {
		error = receive(worker, &frame);
		if (error != KS_OK)
			return error;
		bool done = frame.type == FRAME_DONE && frame.operation == begin->operation;
		error = done ? finish(&frame, result) : heed(worker, &frame);
		frame_deinit(&frame);
		if (done)
			return error;
	}
	return error;
}

static enum ks_error greet(struct worker *worker, const char *backend)
{
	const struct frame hello = {.type = FRAME_HELLO,
		.hello = {.version = FRAME_VERSION, .log_level = LOG_LEVEL_WARNING}};
	struct frame theirs;
	enum ks_error error = send_frame(worker, &hello, -1);

	worker->channel.deadline_ms = channel_now_ms() + OPEN_MS;
	if (error == KS_OK)
		error = receive(worker, &theirs);
	if (error != KS_OK)
		return error;
	if (theirs.type != FRAME_HELLO || theirs.hello.version != FRAME_VERSION ||
		!bytes_equal_text(theirs.hello.name, backend))
		error = broken("is another one, or of another version");
	frame_deinit(&theirs);
	return error;
}

static void put_grants(struct buf *out, enum frame_grant kind, char *const *paths)
{
	for (; *paths != NULL; paths++) {
		buf_put_u8(out, (uint8_t)kind);
		buf_put_string(out, bytes_of(*paths));
	}
}

/* What it may do besides, by the configuration. Nobody connects for it, as the agent would. */
static enum ks_error gather_grants(const struct config_worker *configured, struct buf *out)
{
	if (configured == NULL)
		return KS_OK;
	put_grants(out, FRAME_GRANT_READ, configured->read);
	put_grants(out, FRAME_GRANT_WRITE, configured->write);
	put_grants(out, FRAME_GRANT_CONNECT, configured->connect);
	return buf_status(out);
}

static enum ks_error open_provider(struct worker *worker, const char *provider)
{
	AUTO(buf) canonical = {0};
	AUTO(buf) nothing = {0};
	AUTO(buf) grants = {0};
	const struct frame locate = {.type = FRAME_LOCATE,
		.operation = ++worker->operation,
		.locate = {.timeout_ms = OPEN_MS, .provider = bytes_of(provider)}};
	enum ks_error error = gather_grants(worker->configured, &grants);

	if (error == KS_OK)
		error = carry_out(worker, &locate, -1, OPEN_MS, &canonical);
	if (error != KS_OK)
		return error;
	const struct frame open = {.type = FRAME_OPEN,
		.operation = ++worker->operation,
		.open = {.timeout_ms = OPEN_MS, .grants = buf_bytes(&grants)}};
	return carry_out(worker, &open, -1, OPEN_MS, &nothing);
}

static enum ks_error administer(
	struct worker *worker, const struct worker_wish *wish, struct buf *result)
{
	AUTO(text) request = json_dumps(wish->request, JSON_COMPACT);
	bool secret = wish->secrets != NULL && wish->secrets->len > 0;
	const struct frame frame = {.type = FRAME_ADMINISTER,
		.operation = ++worker->operation,
		.administer = {.timeout_ms = ADMINISTER_MS,
			.request = bytes_of(request),
			.with_secret = secret}};
	AUTO(fd) pipe_end = -1;

	if (request == NULL || (secret && secret_to_pipe(wish->secrets->data, wish->secrets->len,
						  &pipe_end) != KS_OK)) {
		complain("out of memory");
		return KS_NO_MEMORY;
	}
	return carry_out(worker, &frame, pipe_end, ADMINISTER_MS, result);
}

static enum ks_error converse(
	struct worker *worker, const struct worker_wish *wish, json_t **answer)
{
	AUTO(buf) result = {0};
	enum ks_error error = greet(worker, wish->backend);

	if (error == KS_OK)
		error = open_provider(worker, wish->provider);
	if (error == KS_OK)
		error = administer(worker, wish, &result);
	if (error != KS_OK)
		return error;
	*answer = json_loadb((const char *)result.data, result.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*answer))
		return KS_OK;
	json_decref(*answer);
	*answer = NULL;
	return broken("answered with what is no object");
}

/* ---- The process ---- */

static const struct ks_needs *find_backend(const char *name)
{
	for (const struct ks_needs *const *at = ks_backends; *at != NULL; at++)
		if (strcmp((*at)->name, name) == 0)
			return *at;
	complain("this Keystile was built without the backend \"%s\"", name);
	return NULL;
}

static enum ks_error configure(struct worker *worker, const char *backend)
{
	AUTO(text) words = NULL;
	enum ks_error error = config_load_all(child_config_system, &worker->config, &words);

	if (error != KS_OK)
		complain("%s", words != NULL ? words : ks_error_text(error));
	else
		worker->configured = config_worker(&worker->config, backend);
	return error;
}

static enum ks_error start(struct worker *worker, const char *backend)
{
	const struct ks_needs *needs = find_backend(backend);
	int ends[2];
	enum ks_error error = needs != NULL ? configure(worker, backend) : KS_UNSUPPORTED;

	if (error != KS_OK)
		return error;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		complain("there is no socket for a worker");
		return KS_NO_MEMORY;
	}
	worker_channel_init(&worker->channel, ends[0]);
	worker->pid = child_start_worker(
		needs, config_worker_environment(&worker->config, backend), ends[1]);
	close(ends[1]);
	if (worker->pid != 0)
		return KS_OK;
	worker_channel_deinit(&worker->channel);
	return KS_UNSUPPORTED;
}

enum ks_error worker_administer(const struct worker_wish *wish, json_t **answer)
{
	struct worker worker = {.token = wish->token != NULL ? wish->token : SOME_TOKEN,
		.token_given = wish->token != NULL};
	enum ks_error error = start(&worker, wish->backend);

	*answer = NULL;
	if (error == KS_OK) {
		error = converse(&worker, wish, answer);
		worker_channel_deinit(&worker.channel);
		child_end(worker.pid, GRACE_MS);
	}
	config_deinit(&worker.config);
	forget_labels(&worker);
	return error;
}
