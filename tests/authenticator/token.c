/* The token as a whole: power, waiting, and serving its sockets. */
#include "token.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "control.h"

#define CLIENTS 8
#define ROUND_MS 20 /* while a command waits */

static const struct settings usual = {
	.ctap2 = true,
	.u2f = true,
	.make_without_pin = true,
	.permissions = true,
	.new_protocol = true,
	.management = true,
	.eddsa = true,
	.counting = true,
	.keepalives = true,
	.pin_asserts = true,
	.message_max = 1200,
	.resident_max = 25,
	.touch_ms = 60000,
	.assembly_ms = 3000,
	.firmware = 0x050701,
	.aaguid = "Keystile's tests",
};

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void token_init(struct token *token, int port, int control)
{
	*token = (struct token){.settings = usual, .port = port, .control = control};
	for (size_t i = 0; i < CLIENTS; i++)
		token->clients[i] = -1;
	token->fault.only_command = -1;
	store_init(&token->store, token->settings.aaguid);
	client_pin_init(&token->pin);
}

void token_power(struct token *token, bool on)
{
	token->plugged = on;
	token->person.u2f_until_ms = 0;
	token->person.u2f_touched = false;
	token->person.done = PRESENCE_GONE; /* for a command that is still worked on */
	token->hid.assembling = token->hid.complete = false;
	token->hid.next_channel = 0;
	token->hid.locked_by = 0;
	client_pin_power(&token->pin);
	command_forget(token);
	token->powered_ms = now_ms();
}

void token_clear(struct token *token)
{
	uint32_t least = token->pin.len_least;

	store_clear(&token->store);
	client_pin_free(&token->pin);
	client_pin_init(&token->pin);
	token->pin.len_least = least;
	command_forget(token);
}

/* ---- Waiting ---- */

void token_dawdle(struct token *token, uint32_t ms)
{
	uint64_t end = now_ms() + ms;

	while (now_ms() < end && !token->ended && token->person.done != PRESENCE_GONE) {
		token_serve(token, ROUND_MS);
		hid_keepalive(token, HID_PROCESSING);
	}
}

enum presence token_wait_for_touch(struct token *token)
{
	struct person *person = &token->person;
	uint64_t end = 0;

	token->counts.touches++;
	token_dawdle(token, token->settings.late_light_ms);
	end = now_ms() + token->settings.touch_ms;
	person->light = true;
	if (person->touches_at_once && person->done == PRESENCE_NONE)
		person->done = PRESENCE_TOUCHED;
	token->hid.keepalive_ms = 0; /* the host shall know at once */
	while (person->done == PRESENCE_NONE && !token->ended) {
		hid_keepalive(token, HID_UP_NEEDED);
		token_serve(token, ROUND_MS);
		if (person->done == PRESENCE_NONE && now_ms() >= end)
			person->done = PRESENCE_TIMED_OUT;
	}
	person->light = false;
	return person->done;
}

/* ---- Sockets ---- */

static void serve_port(struct token *token)
{
	uint8_t data[HID_REPORT_LEN + 1];
	ssize_t len = recv(token->port, data, sizeof(data), MSG_DONTWAIT);

	if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
		token->ended = true;
	else if (len == 1)
		token->port_answered = true;
	else if (len == HID_REPORT_LEN && token->plugged)
		hid_receive(token, data);
}

static void serve_new(struct token *token)
{
	int fd = accept4(token->control, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < CLIENTS; i++) {
		if (token->clients[i] < 0) {
			token->clients[i] = fd;
			token->line_lens[i] = 0;
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

static void hang_up(struct token *token, size_t i)
{
	close(token->clients[i]);
	token->clients[i] = -1;
}

/* One line is answered before the next is read. */
static void serve_client(struct token *token, size_t i)
{
	char *line = token->lines[i];
	char answer[CONTROL_ANSWER_MAX];
	size_t room = sizeof(token->lines[i]) - token->line_lens[i];
	ssize_t len = recv(token->clients[i], line + token->line_lens[i], room, MSG_DONTWAIT);
	char *end = NULL;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		hang_up(token, i);
		return;
	}
	token->line_lens[i] += (size_t)len;
	end = memchr(line, '\n', token->line_lens[i]);
	if (end == NULL) {
		if (token->line_lens[i] == sizeof(token->lines[i]))
			hang_up(token, i);
		return;
	}
	*end = '\0';
	token->line_lens[i] = 0;
	control_run(token, line, answer);
	if (token->clients[i] >= 0 &&
		send(token->clients[i], answer, strlen(answer), MSG_NOSIGNAL) < 0)
		hang_up(token, i);
}

void token_serve(struct token *token, int timeout_ms)
{
	struct pollfd fds[CLIENTS + 2] = {
		{.fd = token->port, .events = POLLIN}, {.fd = token->control, .events = POLLIN}};

	for (size_t i = 0; i < CLIENTS; i++)
		fds[i + 2] = (struct pollfd){.fd = token->clients[i], .events = POLLIN};
	if (poll(fds, CLIENTS + 2, timeout_ms) > 0) {
		if (fds[0].revents != 0)
			serve_port(token);
		if (fds[1].revents != 0)
			serve_new(token);
		for (size_t i = 0; i < CLIENTS; i++) {
			if (fds[i + 2].revents != 0 && token->clients[i] == fds[i + 2].fd)
				serve_client(token, i);
		}
	}
	hid_tick(token);
}
