/*
 * Packets in, packets out. A message that is complete is left to hid_work(), so that what comes
 * while a command waits for a touch can be served by the same function.
 */
#include "hid.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "command.h"
#include "fault.h"
#include "token.h"
#include "u2f.h"

#define FIRST_DATA 7 /* bytes of header of the first packet */
#define NEXT_DATA 5
#define KEEPALIVE_MS 100
#define CAPABILITY_WINK 0x01
#define CAPABILITY_CBOR 0x04
#define CAPABILITY_NO_MSG 0x08

static uint32_t read_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

static size_t least(size_t one, size_t other)
{
	return one < other ? one : other;
}

void hid_send_report(struct token *token, const uint8_t report[HID_REPORT_LEN])
{
	if (token->plugged && send(token->port, report, HID_REPORT_LEN, MSG_NOSIGNAL) < 0)
		perror("authenticator: a report");
}

static void send_message(
	struct token *token, uint32_t channel, uint8_t command, const uint8_t *data, size_t len)
{
	struct fault_frames frames = fault_frames(token, channel, command, len);
	uint8_t report[HID_REPORT_LEN] = {0};
	size_t done = least(len, HID_REPORT_LEN - FIRST_DATA);

	if (frames.silent)
		return;
	put_u32(report, frames.channel);
	report[4] = frames.command | 0x80;
	report[5] = (uint8_t)(frames.len >> 8);
	report[6] = (uint8_t)frames.len;
	if (done > 0)
		memcpy(report + FIRST_DATA, data, done);
	hid_send_report(token, report);
	for (uint8_t sequence = frames.first_sequence; done < len && !frames.only_first;
		sequence++) {
		size_t part = least(len - done, HID_REPORT_LEN - NEXT_DATA);

		memset(report, 0, sizeof(report));
		put_u32(report, frames.channel);
		report[4] = sequence & 0x7f;
		memcpy(report + NEXT_DATA, data + done, part);
		hid_send_report(token, report);
		done += part;
	}
}

static void send_error(struct token *token, uint32_t channel, enum hid_error error)
{
	uint8_t code = (uint8_t)error;

	send_message(token, channel, HID_ERROR, &code, 1);
}

void hid_reply(struct token *token, uint8_t command, const uint8_t *data, size_t len)
{
	send_message(token, token->hid.message.channel, command, data, len);
}

void hid_keepalive(struct token *token, enum hid_keepalive what)
{
	uint8_t code = (uint8_t)what;
	uint64_t now = now_ms();

	if (!token->settings.keepalives || now - token->hid.keepalive_ms < KEEPALIVE_MS)
		return;
	token->hid.keepalive_ms = now;
	send_message(token, token->hid.message.channel, HID_KEEPALIVE, &code, 1);
}

/* ---- Commands of the transport itself ---- */

static void answer_init(struct token *token, uint32_t channel, const uint8_t nonce[8])
{
	const struct settings *settings = &token->settings;
	uint8_t answer[17] = {0};
	uint32_t given = channel;

	if (channel == HID_BROADCAST)
		given = ++token->hid.next_channel;
	memcpy(answer, nonce, 8);
	put_u32(answer + 8, given);
	answer[12] = 2; /* the protocol's version */
	answer[13] = 5;
	answer[14] = 7;
	answer[15] = (uint8_t)settings->firmware;
	answer[16] = (uint8_t)(CAPABILITY_WINK | (settings->ctap2 ? CAPABILITY_CBOR : 0) |
			       (settings->u2f ? 0 : CAPABILITY_NO_MSG));
	token->counts.init++;
	send_message(token, channel, HID_INIT, answer, sizeof(answer));
}

static void answer_lock(struct token *token)
{
	struct hid *hid = &token->hid;

	if (hid->message.len != 1 || hid->message.data[0] > 10) {
		send_error(token, hid->message.channel, HID_ERROR_LENGTH);
		return;
	}
	hid->locked_by = hid->message.data[0] > 0 ? hid->message.channel : 0;
	hid->locked_until_ms = now_ms() + hid->message.data[0] * 1000U;
	hid_reply(token, HID_LOCK, NULL, 0);
}

static void work_on(struct token *token)
{
	struct hid_message *message = &token->hid.message;

	if (message->command != HID_LOCK && fault_busy(token, message->data[0])) {
		send_error(token, message->channel, HID_ERROR_BUSY);
	} else if (message->command == HID_PING) {
		token->counts.ping++;
		hid_reply(token, HID_PING, message->data, message->len);
	} else if (message->command == HID_WINK) {
		token->hid.winks++;
		hid_reply(token, HID_WINK, NULL, 0);
	} else if (message->command == HID_LOCK) {
		answer_lock(token);
	} else if (message->command == HID_CBOR && token->settings.ctap2) {
		command_run(token, message->data, message->len);
	} else if (message->command == HID_MSG && token->settings.u2f) {
		u2f_run(token, message->data, message->len);
	} else {
		send_error(token, message->channel, HID_ERROR_COMMAND);
	}
}

void hid_work(struct token *token)
{
	struct hid *hid = &token->hid;

	if (!hid->complete || hid->busy)
		return;
	hid->complete = false;
	hid->busy = true;
	hid->keepalive_ms = now_ms();
	work_on(token);
	hid->busy = false;
	fault_message_done(token);
}

/* ---- Packets ---- */

static bool occupied(const struct hid *hid)
{
	return hid->assembling || hid->complete || hid->busy;
}

static bool locked_for(struct hid *hid, uint32_t channel)
{
	if (hid->locked_by != 0 && now_ms() >= hid->locked_until_ms)
		hid->locked_by = 0;
	return hid->locked_by != 0 && hid->locked_by != channel;
}

/* Begins anew on its channel, whatever was going on there. */
static void receive_init(struct token *token, uint32_t channel, const uint8_t *report)
{
	struct hid *hid = &token->hid;

	if (fault_busy_init(token)) {
		send_error(token, channel, HID_ERROR_BUSY);
		return;
	}
	if (channel != HID_BROADCAST && channel == hid->message.channel) {
		hid->assembling = hid->complete = false;
		if (hid->busy)
			token->person.done = PRESENCE_GONE;
	}
	answer_init(token, channel, report + FIRST_DATA);
}

static void receive_cancel(struct token *token, uint32_t channel)
{
	struct hid *hid = &token->hid;

	hid->cancels_all++;
	if (fault_stubborn(token) || !hid->busy || channel != hid->message.channel)
		return;
	hid->cancels++;
	if (token->person.done == PRESENCE_NONE)
		token->person.done = PRESENCE_CANCELLED;
}

static void take(struct token *token, const uint8_t *data, size_t room)
{
	struct hid *hid = &token->hid;
	struct hid_message *message = &hid->message;
	size_t part = least(message->len - message->have, room);

	memcpy(message->data + message->have, data, part);
	message->have += part;
	hid->assembling = message->have < message->len;
	hid->complete = !hid->assembling;
	hid->assembly_ms = now_ms();
}

static void receive_first(struct token *token, uint32_t channel, const uint8_t *report)
{
	struct hid *hid = &token->hid;
	size_t len = (size_t)report[5] << 8 | report[6];

	if (occupied(hid) || locked_for(hid, channel)) {
		if (hid->assembling && channel == hid->message.channel) {
			hid->assembling = false;
			send_error(token, channel, HID_ERROR_SEQUENCE);
		} else {
			send_error(token, channel, HID_ERROR_BUSY);
		}
		return;
	}
	if (len > HID_MESSAGE_MAX) {
		send_error(token, channel, HID_ERROR_LENGTH);
		return;
	}
	hid->message.channel = channel;
	hid->message.command = report[4] & 0x7f;
	hid->message.len = len;
	hid->message.have = 0;
	hid->message.sequence = 0;
	take(token, report + FIRST_DATA, HID_REPORT_LEN - FIRST_DATA);
}

static void receive_next(struct token *token, uint32_t channel, const uint8_t *report)
{
	struct hid *hid = &token->hid;

	if (!hid->assembling || channel != hid->message.channel)
		return; /* as the standard has it: ignored */
	if (report[4] != hid->message.sequence) {
		hid->assembling = false;
		send_error(token, channel, HID_ERROR_SEQUENCE);
		return;
	}
	hid->message.sequence++;
	take(token, report + NEXT_DATA, HID_REPORT_LEN - NEXT_DATA);
}

void hid_receive(struct token *token, const uint8_t report[HID_REPORT_LEN])
{
	uint32_t channel = read_u32(report);
	bool first = (report[4] & 0x80) != 0;
	uint8_t command = report[4] & 0x7f;

	if (fault_deaf(token))
		return;
	if (first && command == HID_INIT)
		receive_init(token, channel, report);
	else if (channel == 0 || channel == HID_BROADCAST || channel > token->hid.next_channel)
		send_error(token, channel, HID_ERROR_CHANNEL);
	else if (first && command == HID_CANCEL)
		receive_cancel(token, channel);
	else if (first)
		receive_first(token, channel, report);
	else
		receive_next(token, channel, report);
}

void hid_tick(struct token *token)
{
	struct hid *hid = &token->hid;

	if (hid->assembling && now_ms() - hid->assembly_ms > token->settings.assembly_ms) {
		hid->assembling = false;
		send_error(token, hid->message.channel, HID_ERROR_TIMEOUT);
	}
}
