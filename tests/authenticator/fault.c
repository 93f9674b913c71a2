/* Spoils what would be right. */
#include "fault.h"

#include <string.h>

#include "token.h"

static const char *const names[FAULT_KINDS] = {
	[FAULT_NONE] = "none",
	[FAULT_MALFORMED] = "malformed",
	[FAULT_TRUNCATED] = "truncated",
	[FAULT_OVERSIZED] = "oversized",
	[FAULT_EMPTY] = "empty",
	[FAULT_STATUS] = "status",
	[FAULT_REPLY] = "reply",
	[FAULT_CHANNEL] = "channel",
	[FAULT_COMMAND] = "command",
	[FAULT_LENGTH] = "length",
	[FAULT_LENGTH_MOST] = "length-most",
	[FAULT_MISSING_CONTINUATION] = "missing-continuation",
	[FAULT_SEQUENCE] = "sequence",
	[FAULT_SILENCE] = "silence",
	[FAULT_KEEPALIVE] = "keepalive",
	[FAULT_DEAF] = "deaf",
	[FAULT_STUBBORN] = "stubborn",
	[FAULT_BUSY] = "busy",
	[FAULT_BUSY_INIT] = "busy-init",
	[FAULT_SIGNATURE] = "signature",
	[FAULT_APPLICATION] = "application",
	[FAULT_CREDENTIAL] = "credential",
	[FAULT_NO_TOUCH] = "no-touch",
	[FAULT_NO_PIN] = "no-pin",
};

enum fault_kind fault_named(const char *name)
{
	int kind = 0;

	while (kind < FAULT_KINDS && strcmp(names[kind], name) != 0)
		kind++;
	return (enum fault_kind)kind;
}

void fault_command_begins(struct token *token, uint8_t command)
{
	struct fault *fault = &token->fault;

	fault->now = fault->times > 0 && fault->kind != FAULT_BUSY &&
		     fault->kind != FAULT_BUSY_INIT && fault->kind != FAULT_STUBBORN &&
		     (fault->only_command < 0 || fault->only_command == command);
	if (fault->now)
		fault->times--;
}

void fault_subcommand_begins(struct token *token, int64_t subcommand)
{
	struct fault *fault = &token->fault;

	if (!fault->now || fault->only_subcommand < 0 || fault->only_subcommand == subcommand)
		return;
	fault->now = false;
	fault->times++;
}

bool fault_is(const struct token *token, enum fault_kind kind)
{
	return token->fault.now && token->fault.kind == kind;
}

size_t fault_answer(struct token *token, uint8_t *answer, size_t len, size_t room)
{
	struct fault *fault = &token->fault;

	if (!fault->now)
		return len;
	fault->sending = true;
	switch (fault->kind) {
	case FAULT_MALFORMED:
		answer[0] = 0;
		memset(answer + 1, 0xff, 40);
		return 41;
	case FAULT_TRUNCATED:
		return len / 2 + 1;
	case FAULT_OVERSIZED:
		memset(answer + len, 0xa1, room - len);
		return room;
	case FAULT_EMPTY:
		return 0;
	case FAULT_STATUS:
		answer[0] = 0xfe;
		return 1;
	case FAULT_REPLY:
		memcpy(answer, fault->reply, fault->reply_len);
		return fault->reply_len;
	default:
		return len;
	}
}

struct fault_frames fault_frames(
	const struct token *token, uint32_t channel, uint8_t command, size_t len)
{
	const struct fault *fault = &token->fault;
	struct fault_frames frames = {.channel = channel, .command = command, .len = len};

	if (!fault->now || !fault->sending)
		return frames;
	frames.silent = fault->kind == FAULT_SILENCE;
	frames.only_first = fault->kind == FAULT_MISSING_CONTINUATION;
	if (fault->kind == FAULT_CHANNEL)
		frames.channel ^= 0x01000000;
	if (fault->kind == FAULT_COMMAND)
		frames.command = HID_MSG;
	if (fault->kind == FAULT_LENGTH)
		frames.len += HID_REPORT_LEN;
	if (fault->kind == FAULT_LENGTH_MOST)
		frames.len = 0xffff;
	if (fault->kind == FAULT_SEQUENCE)
		frames.first_sequence = 1;
	return frames;
}

void fault_message_done(struct token *token)
{
	token->fault.now = token->fault.sending = false;
}

bool fault_stubborn(const struct token *token)
{
	return token->fault.kind == FAULT_STUBBORN && token->fault.times > 0;
}

static bool busy(struct token *token, enum fault_kind kind, int command)
{
	struct fault *fault = &token->fault;

	if (fault->kind != kind || fault->times == 0 ||
		(fault->only_command >= 0 && fault->only_command != command))
		return false;
	fault->times--;
	token->counts.busy++;
	return true;
}

bool fault_busy(struct token *token, uint8_t command)
{
	return busy(token, FAULT_BUSY, command);
}

bool fault_busy_init(struct token *token)
{
	return busy(token, FAULT_BUSY_INIT, -1);
}

bool fault_deaf(const struct token *token)
{
	return token->fault.kind == FAULT_DEAF && token->fault.times > 0;
}
