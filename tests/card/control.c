/*
 * Words in, JSON or "ok" out.
 */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#define WORDS_MAX 256

int control_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO(fd) fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -1;
	return TAKE_FD(fd);
}

static char *commands(const struct counts *counts)
{
	AUTO(text) all = strdup("");

	for (unsigned i = 0; i < 256 && all != NULL; i++) {
		char *longer;

		if (counts->commands[i] == 0)
			continue;
		longer = text_format(
			"%s%s\"%02x\": %u", all, all[0] ? ", " : "", i, counts->commands[i]);
		free(all);
		all = longer;
	}
	return TAKE_TEXT(all);
}

static char *status(const struct card *card, bool in_reader)
{
	const struct counts *counts = &card->counts;
	AUTO(text) by_instruction = commands(counts);

	return text_format(
		"{\"inserted\": %s, \"touch_awaited\": %s, \"verified\": %s, "
		"\"pin_tries\": %u, \"pins\": %u, \"pins_here\": %u, \"wrong_pins\": %u, "
		"\"signatures\": %u, \"commands\": {%s}}",
		in_reader ? "true" : "false", card->touch_awaited ? "true" : "false",
		card->verified ? "true" : "false", card->pin.tries, counts->pins, card->pins_here,
		counts->wrong, counts->signatures, by_instruction != NULL ? by_instruction : "");
}

static bool set_number(struct hand *hand, struct card *card, const char *name, int value)
{
	if (strcmp(name, "slow") == 0)
		hand->slow_ms = value;
	else if (strcmp(name, "port") == 0 && value <= UINT16_MAX)
		hand->port = value;
	else if (strcmp(name, "touch-time") == 0)
		hand->touch_ms = value;
	else if (strcmp(name, "pin-tries") == 0 && value <= (int)card->pin.most)
		card->pin.tries = (unsigned)value;
	else
		return false;
	return true;
}

/* "f7 6a80": instruction and answer in hexadecimal digits. */
static bool take_lie(struct card *card, const char *words)
{
	struct lie lie = {.told = true};
	unsigned byte;
	int read;

	if (sscanf(words, "%2x%n", &lie.instruction, &read) != 1)
		return false;
	words += read;
	while (lie.len < LIE_MAX && sscanf(words, " %2x%n", &byte, &read) == 1) {
		lie.answer[lie.len++] = (uint8_t)byte;
		words += read;
	}
	for (size_t i = 0; i < LIES_MAX; i++) {
		if (card->lies[i].told)
			continue;
		card->lies[i] = lie;
		return *words == '\0';
	}
	return false;
}

static bool obey(struct hand *hand, struct card *card, const char *words)
{
	char name[16];
	int value;

	if (strncmp(words, "fault ", strlen("fault ")) == 0)
		return fault_named(words + strlen("fault "), &hand->fault);

	if (strcmp(words, "insert") == 0)
		hand->inserted = true;
	else if (strcmp(words, "remove") == 0)
		hand->inserted = false;
	else if (strcmp(words, "forget") == 0)
		card->counts = (struct counts){0};
	else if (strcmp(words, "truth") == 0)
		memset(card->lies, 0, sizeof(card->lies));
	else if (strncmp(words, "lie ", 4) == 0)
		return take_lie(card, words + 4);
	else if (strcmp(words, "touch") == 0)
		return hand->touch = card->touch_awaited;
	else
		return sscanf(words, "%15s %d", name, &value) == 2 && value >= 0 &&
		       set_number(hand, card, name, value);
	return true;
}

void control_serve(int fd, struct hand *hand, struct card *card, bool in_reader)
{
	struct sockaddr_un from;
	socklen_t from_len = sizeof(from);
	char words[WORDS_MAX + 1];
	ssize_t got =
		recvfrom(fd, words, WORDS_MAX, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	AUTO(text) answer = NULL;

	if (got < 0)
		return;
	words[got] = '\0';
	if (strcmp(words, "status") == 0)
		answer = status(card, in_reader);
	else
		answer = strdup(obey(hand, card, words) ? "ok" : "not understood");
	if (answer != NULL)
		sendto(fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL,
			(struct sockaddr *)&from, from_len);
}
