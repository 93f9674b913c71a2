/*
 * Nothing here waits for the terminal without a bound, and who is in its foreground is looked at
 * again all the while.
 */
#include "terminal_wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* A terminal whose other end takes nothing, or that was stopped, for so long is of no use. */
#define WRITE_MS 3000
#define LOOK_MS 200

int64_t wire_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Waiting ---- */

static bool was_withdrawn(const struct terminal_wire *wire)
{
	struct signalfd_siginfo info;

	while (read(wire->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			return true;
	return false;
}

static bool hung_up(struct terminal_wire *wire, short found)
{
	if ((found & (POLLHUP | POLLERR | POLLNVAL)) == 0)
		return false;
	snprintf(wire->place.words, sizeof(wire->place.words), "the terminal went away");
	return true;
}

/* The modes are those that were set here; false where they can't be seen. */
static bool is_raw(const struct terminal_wire *wire)
{
	struct termios now;

	return tcgetattr(wire->place.fd, &now) == 0 && now.c_lflag == wire->raw.c_lflag &&
	       now.c_iflag == wire->raw.c_iflag && now.c_oflag == wire->raw.c_oflag;
}

/* Somebody may have put them right too early, such as a prompter after the question before. */
static void keep_raw(const struct terminal_wire *wire)
{
	if (wire->changed && !is_raw(wire))
		tcsetattr(wire->place.fd, TCSANOW, &wire->raw);
}

enum wire_event wire_await(struct terminal_wire *wire, short wanted, int64_t until_ms)
{
	for (;;) {
		struct pollfd ends[] = {{.fd = wire->signals, .events = POLLIN},
			{.fd = wire->place.fd, .events = wanted}};
		int64_t left = until_ms == 0 ? LOOK_MS : until_ms - wire_now_ms();
		int wait = left < LOOK_MS ? (int)left : LOOK_MS;

		if (poll(ends, 2, wait > 0 ? wait : 0) < 0 && errno != EINTR)
			return WIRE_GONE;
		if (was_withdrawn(wire))
			return WIRE_WITHDRAWN;
		if (hung_up(wire, ends[1].revents) || !terminal_place_holds(&wire->place))
			return WIRE_GONE;
		keep_raw(wire);
		if ((ends[1].revents & wanted) != 0)
			return WIRE_READY;
		if (left <= 0)
			return WIRE_TIME;
	}
}

enum wire_event wire_put(struct terminal_wire *wire, struct bytes bytes)
{
	int64_t until_ms = wire_now_ms() + WRITE_MS;

	while (bytes.len > 0) {
		enum wire_event event = wire_await(wire, POLLOUT, until_ms);
		ssize_t sent;

		if (event != WIRE_READY)
			return event == WIRE_TIME ? WIRE_STUCK : event;
		sent = write(wire->place.fd, bytes.data, bytes.len);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return WIRE_GONE;
		if (sent < 0 && wire_now_ms() >= until_ms)
			return WIRE_STUCK;
		if (sent > 0)
			bytes = BYTES(bytes.data + sent, bytes.len - (size_t)sent);
	}
	return WIRE_READY;
}

void wire_say_at_once(const struct terminal_wire *wire, const char *words)
{
	(void)!write(wire->place.fd, words, strlen(words));
}

/* ---- The terminal's modes ---- */

bool wire_make_raw(struct terminal_wire *wire)
{
	struct termios *raw = &wire->raw;

	if (tcgetattr(wire->place.fd, &wire->before) != 0 || tcflush(wire->place.fd, TCIFLUSH) != 0)
		return false;
	*raw = wire->before;
	raw->c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHOE | ECHOK | ECHONL | ISIG | IEXTEN);
	raw->c_oflag &= ~(tcflag_t)OPOST;
	/* Without IXON what Ctrl-S had stopped goes on. */
	raw->c_iflag &=
		~(tcflag_t)(IXON | IXOFF | ICRNL | INLCR | IGNCR | ISTRIP | PARMRK | BRKINT);
	raw->c_cc[VMIN] = 1;
	raw->c_cc[VTIME] = 0;
	wire->changed = true;
	return tcsetattr(wire->place.fd, TCSANOW, raw) == 0;
}

void wire_restore(struct terminal_wire *wire)
{
	if (!wire->changed)
		return;
	/* Otherwise somebody else has them as they want them, such as the shell of an asker that
	 * died. */
	if (is_raw(wire)) {
		tcflush(wire->place.fd, TCIFLUSH);
		tcsetattr(wire->place.fd, TCSANOW, &wire->before);
	}
	wire->changed = false;
}
