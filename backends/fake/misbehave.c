/*
 * One function for each misdeed. Some reach around the worker's library, as code that was taken
 * over would: they write on the agent's socket themselves and read ids out of
 * the library's memory, for which this file alone includes its private header.
 */
#include "misbehave.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "worker.h"

#define SLOW_MS 500
#define CHATTY_LINES 1000
#define LONG_LABEL 5000
#define NO_SUCH_ERROR 99

/* Past the library, as anything in this process can. */
static void write_to_agent(struct bytes bytes)
{
	if (write(CHANNEL_FD, bytes.data, bytes.len) < 0)
		log_error("the fake backend could not write to the agent");
}

static enum ks_error fail(struct ks_operation *operation)
{
	if (operation != NULL)
		ks_explain(operation, "the fake token was told to fail");
	return KS_DEVICE_FAILED;
}

static enum ks_error wait_ms(struct ks_operation *operation, int timeout_ms)
{
	struct pollfd cancel = {
		.fd = operation != NULL ? ks_cancel_fd(operation) : -1, .events = POLLIN};

	return poll(&cancel, 1, timeout_ms) > 0 ? KS_CANCELLED : KS_OK;
}

static enum ks_error be_slow(struct ks_operation *operation)
{
	return wait_ms(operation, SLOW_MS);
}

static enum ks_error be_stuck(struct ks_operation *operation)
{
	return wait_ms(operation, -1);
}

static enum ks_error hang(struct ks_operation *operation)
{
	(void)operation;
	while (pause() != 0)
		continue; /* no signal that it handles ends it */
	return KS_OK;
}

static enum ks_error crash(struct ks_operation *operation)
{
	(void)operation;
	(void)signal(SIGSEGV, SIG_DFL); /* also where a sanitizer would catch it */
	raise(SIGSEGV);
	return KS_OK;
}

static enum ks_error leave(struct ks_operation *operation)
{
	(void)operation;
	_exit(3);
}

static enum ks_error talk_nonsense(struct ks_operation *operation)
{
	(void)operation;
	write_to_agent(bytes_of("\xff\xff\xff\xffThese bytes are no frame."));
	return KS_OK;
}

static enum ks_error chatter(struct ks_operation *operation)
{
	(void)operation;
	for (int line = 1; line <= CHATTY_LINES; line++)
		log_warning("line %d of %d that nobody needs", line, CHATTY_LINES);
	return KS_OK;
}

static enum ks_error invent_an_error(struct ks_operation *operation)
{
	(void)operation;
	return (enum ks_error)NO_SUCH_ERROR;
}

enum ks_error misbehave(struct ks_operation *operation, unsigned misdeed)
{
	static enum ks_error (*const misdeeds[])(struct ks_operation * operation) = {
		[FAKE_FAIL] = fail,
		[FAKE_SLOW] = be_slow,
		[FAKE_STUCK] = be_stuck,
		[FAKE_HANG] = hang,
		[FAKE_CRASH] = crash,
		[FAKE_EXIT] = leave,
		[FAKE_NONSENSE] = talk_nonsense,
		[FAKE_CHATTY] = chatter,
		[FAKE_ERROR] = invent_an_error,
	};

	if (misdeed >= sizeof(misdeeds) / sizeof(misdeeds[0]) || misdeeds[misdeed] == NULL)
		return KS_OK;
	return misdeeds[misdeed](operation);
}

enum ks_error misbehave_signature(unsigned how, enum ks_algorithm algorithm, struct buf *signature)
{
	uint8_t garbage[64];

	if (how == FAKE_SIGNATURE_GOOD)
		return KS_OK;
	memset(garbage, 0x5a, sizeof(garbage));
	buf_clear(signature);
	if (how == FAKE_SIGNATURE_GARBAGE)
		return signature_put(signature, algorithm, BYTES(garbage, sizeof(garbage)));
	while (!signature->failed)
		buf_put(signature, BYTES(garbage, sizeof(garbage)));
	return KS_OK;
}

void misbehave_presence(struct ks_operation *operation, unsigned how)
{
	AUTO(buf) bytes = {0};
	const struct frame lie = {.type = FRAME_PRESENCE,
		.operation = operation->id,
		.presence = {.presence = KS_PRESENCE_PIN}};

	if (how == FAKE_PRESENCE_CLAIM)
		ks_presence_given(operation, KS_PRESENCE_PIN);
	if (how == FAKE_PRESENCE_PAD)
		ks_presence_given(operation, KS_PRESENCE_PIN_PAD);
	if (how != FAKE_PRESENCE_LIE)
		return;
	frame_encode(&lie, &bytes);
	write_to_agent(buf_bytes(&bytes));
}

const char *misbehave_label(unsigned how)
{
	static const char control[] = "\x1b]0;owned\a\x1b[2J\"'\n\r\xff\xc3\xa4 100% %s%n";
	static char long_label[LONG_LABEL + 1];

	if (how == FAKE_LABELS_CONTROL)
		return control;
	if (how != FAKE_LABELS_LONG)
		return NULL;
	memset(long_label, 'x', LONG_LABEL);
	return long_label;
}
