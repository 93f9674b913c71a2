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
#define COMMAND_CBOR (COMMAND_FIRST | 0x10)
#define COMMAND_CANCEL (COMMAND_FIRST | 0x11)
#define COMMAND_KEEPALIVE (COMMAND_FIRST | 0x3b)
#define COMMAND_ERROR (COMMAND_FIRST | 0x3f)
#define COMMAND_AT 4 /* offset in a report; two bytes of length follow, then data */
#define DATA_AT 7
#define STATUS_UP_NEEDED 2
#define ERROR_CHANNEL_BUSY 6
/* How long a token may take to say that it has cancelled. */
#define CANCEL_MS 500

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

/* What libfido2 will drop or take for a failure is looked at first. */
static void look_at(struct hidraw *hidraw, const uint8_t *report)
{
	if (memcmp(report, hidraw->channel, sizeof(hidraw->channel)) != 0)
		return;
	if (report[COMMAND_AT] == COMMAND_KEEPALIVE)
		set_waiting(hidraw, report[DATA_AT] == STATUS_UP_NEEDED);
	else
		set_waiting(hidraw, false);
	if (report[COMMAND_AT] == COMMAND_ERROR && report[DATA_AT] == ERROR_CHANNEL_BUSY)
		hidraw->busy = true;
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

static int read_report(void *handle, unsigned char *out, size_t len, int patience_ms)
{
	struct hidraw *hidraw = handle;
	ssize_t got;

	if (len != HID_REPORT_BYTES || hidraw->gone || !await_report(hidraw, patience_ms))
		return -1;
	do {
		got = read(hidraw->device, out, HID_REPORT_BYTES);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		hidraw->gone = true;
	if (got != HID_REPORT_BYTES)
		return -1;
	look_at(hidraw, out);
	return HID_REPORT_BYTES;
}

static void note_request(struct hidraw *hidraw, const uint8_t *report)
{
	memcpy(hidraw->channel, report, sizeof(hidraw->channel));
	if ((report[COMMAND_AT] & COMMAND_FIRST) != 0)
		hidraw->in_cbor = report[COMMAND_AT] == COMMAND_CBOR;
}

/* The report has a number of zero in front. */
static int write_request(void *handle, const unsigned char *report, size_t len)
{
	struct hidraw *hidraw = handle;

	if (len != HID_REPORT_BYTES + 1 || hidraw->gone || hidraw->cancelling)
		return -1;
	note_request(hidraw, report + 1);
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

void hidraw_begin(struct hidraw *hidraw, uint32_t timeout_ms)
{
	hidraw->gone = hidraw->late = hidraw->busy = hidraw->cancelling = hidraw->waiting = false;
	hidraw->in_cbor = false;
	hidraw->end_ms = now_ms() + timeout_ms;
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
