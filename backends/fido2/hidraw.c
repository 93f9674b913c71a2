/*
 * Reading and writing reports. Every wait is for the device, for a cancel and for the end of the
 * request's time at once, so that nothing a token does or does not do keeps the process.
 */
#include <keystile/error.h>

#include "hidraw.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_FIRST 0x80 /* set in the first report of a message, not in those that follow */
#define COMMAND_INIT (COMMAND_FIRST | 0x06)
#define COMMAND_CBOR (COMMAND_FIRST | 0x10)
#define COMMAND_CANCEL (COMMAND_FIRST | 0x11)
#define COMMAND_KEEPALIVE (COMMAND_FIRST | 0x3b)
#define COMMAND_ERROR (COMMAND_FIRST | 0x3f)
#define COMMAND_AT 4 /* offset in a report; two bytes of length follow, then data */
#define LEN_AT 5
#define DATA_AT 7
#define NONCE_BYTES 8
#define STATUS_UP_NEEDED 2
#define CHANNEL_BUSY 6 /* in COMMAND_ERROR, and as the status of a command (section 8.2) */
#define CLIENT_PIN 6   /* the first byte of that command */
/* How long a token may take to say that it has cancelled, and that it begins anew. */
#define CANCEL_MS 500
#define BUSY_STEP_MS 50

static struct hidraw *the_device; /* fido_dev_io_open_t has no argument for it */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool write_report(struct hidraw *hidraw, const uint8_t *report)
{
	ssize_t written;

	do {
		written = write(hidraw->device, report, HID_REPORT_BYTES + 1);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		hidraw->gone = true;
	return written == HID_REPORT_BYTES + 1;
}

static void cancel(struct hidraw *hidraw)
{
	uint8_t report[HID_REPORT_BYTES + 1] = {0};

	hidraw->cancelling = true;
	hidraw->give_up_ms = now_ms() + CANCEL_MS;
	if (!hidraw->in_cbor)
		return;
	memcpy(report + 1, hidraw->channel, sizeof(hidraw->channel));
	report[1 + COMMAND_AT] = COMMAND_CANCEL;
	(void)write_report(hidraw, report);
}

static void set_waiting(struct hidraw *hidraw, bool waiting)
{
	if (waiting == hidraw->waiting)
		return;
	hidraw->waiting = waiting;
	hidraw->waits(hidraw->owner, waiting);
}

static bool carries_pin(const struct hid_message *message)
{
	return message->count > 1 && message->reports[0][1 + DATA_AT] == CLIENT_PIN;
}

/* What is an error of the transport was not taken; a command may have looked at the PIN already. */
static bool says_busy(const struct hidraw *hidraw, const uint8_t *report)
{
	if (report[COMMAND_AT] == COMMAND_ERROR)
		return report[DATA_AT] == CHANNEL_BUSY;
	return report[COMMAND_AT] == COMMAND_CBOR && report[LEN_AT] == 0 &&
	       report[LEN_AT + 1] == 1 && report[DATA_AT] == CHANNEL_BUSY &&
	       !carries_pin(&hidraw->message);
}

/* What libfido2 will drop or take for a failure is looked at first. */
static void look_at(struct hidraw *hidraw, const uint8_t *report)
{
	if (memcmp(report, hidraw->channel, sizeof(hidraw->channel)) != 0)
		return;
	if (report[COMMAND_AT] == COMMAND_KEEPALIVE)
		set_waiting(hidraw, report[DATA_AT] == STATUS_UP_NEEDED);
	else
		set_waiting(hidraw, false);
	if (says_busy(hidraw, report))
		hidraw->busy = true;
	if (report[COMMAND_AT] == COMMAND_CBOR)
		hidraw->answered = report[DATA_AT] == 0;
}

/* When waiting ends: with libfido2's patience, the request's time or that of a cancel. */
static int64_t wait_until(const struct hidraw *hidraw, int patience_ms)
{
	int64_t end = hidraw->cancelling ? hidraw->give_up_ms : hidraw->end_ms;

	if (patience_ms >= 0 && now_ms() + patience_ms < end)
		end = now_ms() + patience_ms;
	return end;
}

/* False: there is nothing to read, and there will not be. */
static bool await_report(struct hidraw *hidraw, int patience_ms)
{
	for (;;) {
		int64_t left = wait_until(hidraw, patience_ms) - now_ms();
		struct pollfd events[] = {{.fd = hidraw->device, .events = POLLIN},
			{.fd = hidraw->cancelling ? -1 : hidraw->wishes, .events = POLLIN}};
		int count = poll(events, 2, left > 0 ? (int)left : 0);

		if (count < 0 && errno != EINTR)
			return false;
		if (count == 0 && left <= 0) {
			hidraw->late = true;
			return false;
		}
		if (count > 0 && events[1].revents != 0 && hidraw->cancelled(hidraw->owner))
			cancel(hidraw);
		if (count > 0 && events[0].revents != 0)
			return true;
	}
}

static bool take_report(struct hidraw *hidraw, uint8_t *out)
{
	ssize_t got;

	do {
		got = read(hidraw->device, out, HID_REPORT_BYTES);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		hidraw->gone = true;
	return got == HID_REPORT_BYTES;
}

/* ---- A token that is busy ---- */

/* False: the request was cancelled meanwhile. */
static bool rest(struct hidraw *hidraw, int64_t end_ms)
{
	struct pollfd wish = {.fd = hidraw->wishes, .events = POLLIN};
	int64_t left = end_ms - now_ms();
	int patience_ms = left > BUSY_STEP_MS ? BUSY_STEP_MS : (int)left;

	if (poll(&wish, 1, patience_ms > 0 ? patience_ms : 0) > 0 &&
		hidraw->cancelled(hidraw->owner))
		cancel(hidraw);
	return !hidraw->cancelling;
}

/* It may have said of each report of the message that it is busy. */
static bool drop_waiting(struct hidraw *hidraw)
{
	struct pollfd events = {.fd = hidraw->device, .events = POLLIN};
	uint8_t report[HID_REPORT_BYTES];

	for (size_t i = 0; i < HID_MESSAGE_REPORTS && poll(&events, 1, 0) > 0; i++)
		if (!take_report(hidraw, report))
			return false;
	return true;
}

/* False: it is left at what the token said. */
static bool ask_again(struct hidraw *hidraw)
{
	const struct hid_message *message = &hidraw->message;

	if (hidraw->busy_until_ms == 0)
		hidraw->busy_until_ms = now_ms() + hidraw->busy_ms;
	if (now_ms() >= hidraw->busy_until_ms || now_ms() >= hidraw->end_ms ||
		!rest(hidraw, hidraw->busy_until_ms) || !drop_waiting(hidraw))
		return false;
	for (size_t i = 0; i < message->count; i++)
		if (!write_report(hidraw, message->reports[i]))
			return false;
	hidraw->busy = false;
	return true;
}

/* ---- libfido2's functions ---- */

static int read_report(void *handle, unsigned char *out, size_t len, int patience_ms)
{
	struct hidraw *hidraw = handle;

	do {
		if (len != HID_REPORT_BYTES || hidraw->gone || !await_report(hidraw, patience_ms) ||
			!take_report(hidraw, out))
			return -1;
		look_at(hidraw, out);
	} while (hidraw->busy && ask_again(hidraw));
	return HID_REPORT_BYTES;
}

/* The report has a number of zero in front. */
static void note_request(struct hidraw *hidraw, const uint8_t *report)
{
	struct hid_message *message = &hidraw->message;

	memcpy(hidraw->channel, report + 1, sizeof(hidraw->channel));
	if ((report[1 + COMMAND_AT] & COMMAND_FIRST) != 0) {
		hidraw->in_cbor = report[1 + COMMAND_AT] == COMMAND_CBOR;
		hidraw->busy_until_ms = 0;
		message->count = 0;
	}
	if (message->count < HID_MESSAGE_REPORTS)
		memcpy(message->reports[message->count++], report, HID_REPORT_BYTES + 1);
}

static int write_request(void *handle, const unsigned char *report, size_t len)
{
	struct hidraw *hidraw = handle;

	if (len != HID_REPORT_BYTES + 1 || hidraw->gone || hidraw->cancelling)
		return -1;
	note_request(hidraw, report);
	return write_report(hidraw, report) ? (int)len : -1;
}

static void *open_device(const char *path)
{
	(void)path;
	return the_device;
}

/* It is open as long as the process lives. */
static void close_device(void *handle)
{
	(void)handle;
}

/* ---- A request ---- */

void hidraw_begin(struct hidraw *hidraw, uint32_t timeout_ms, uint32_t busy_ms)
{
	hidraw->gone = hidraw->late = hidraw->busy = hidraw->cancelling = hidraw->waiting = false;
	hidraw->in_cbor = hidraw->answered = false;
	hidraw->end_ms = now_ms() + timeout_ms;
	hidraw->busy_ms = busy_ms;
}

/* On a channel that is in use it ends what is going on there (CTAP 2.1 section 11.2.9.1.3). */
static bool begin_anew(struct hidraw *hidraw, uint8_t nonce[static NONCE_BYTES])
{
	uint8_t report[HID_REPORT_BYTES + 1] = {0};
	int64_t now = now_ms();

	memcpy(nonce, &now, sizeof(now));
	memcpy(report + 1, hidraw->channel, sizeof(hidraw->channel));
	report[1 + COMMAND_AT] = COMMAND_INIT;
	report[1 + LEN_AT + 1] = NONCE_BYTES;
	memcpy(report + 1 + DATA_AT, nonce, NONCE_BYTES);
	hidraw->give_up_ms = now + CANCEL_MS;
	return write_report(hidraw, report);
}

bool hidraw_settle(struct hidraw *hidraw)
{
	uint8_t nonce[NONCE_BYTES];
	uint8_t report[HID_REPORT_BYTES];

	if (!hidraw->late || !hidraw->in_cbor || hidraw->gone)
		return !hidraw->late;
	if (!hidraw->cancelling)
		cancel(hidraw);
	if (!begin_anew(hidraw, nonce))
		return false;
	while (now_ms() < hidraw->give_up_ms && await_report(hidraw, -1) &&
		take_report(hidraw, report))
		if (memcmp(report, hidraw->channel, sizeof(hidraw->channel)) == 0 &&
			report[COMMAND_AT] == COMMAND_INIT &&
			memcmp(report + DATA_AT, nonce, NONCE_BYTES) == 0)
			return true;
	return false;
}

bool hidraw_attach(struct hidraw *hidraw, fido_dev_t *device)
{
	static const fido_dev_io_t functions = {.open = open_device,
		.close = close_device,
		.read = read_report,
		.write = write_request};

	the_device = hidraw;
	return fido_dev_set_io_functions(device, &functions) == FIDO_OK;
}
