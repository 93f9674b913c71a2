/*
 * piv-card --control SOCKET [options] SLOT...: a PIV card in software for vpcd, until SIGTERM.
 *
 *   --port N      vpcd's, 35963 otherwise      --pin TEXT, --puk TEXT
 *   --absent      not inserted at first        --serial N
 *   --yubikey     one of Yubico's              --firmware A.B.C
 *   --openpgp     with an OpenPGP application, too
 *
 * A SLOT is what slot.h says.
 */
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "control.h"
#include "pin.h"
#include "vpcd.h"

#define RETRY_MS 50
#define TOUCH_MS 15000

struct table {
	struct card card;
	struct vpcd vpcd;
	struct hand hand;
	struct buf answer; /* that is to be sent */
	bool answering;	   /* it waits for its time */
	int64_t due_ms;	   /* of the answer, or of the end of waiting for a touch */
};

enum {
	OPTION_PORT = 1,
	OPTION_CONTROL,
	OPTION_ABSENT,
	OPTION_YUBIKEY,
	OPTION_OPENPGP,
	OPTION_FIRMWARE,
	OPTION_PIN,
	OPTION_PUK,
	OPTION_SERIAL
};

static const struct option options[] = {
	{"port", required_argument, NULL, OPTION_PORT},
	{"control", required_argument, NULL, OPTION_CONTROL},
	{"absent", no_argument, NULL, OPTION_ABSENT},
	{"yubikey", no_argument, NULL, OPTION_YUBIKEY},
	{"openpgp", no_argument, NULL, OPTION_OPENPGP},
	{"firmware", required_argument, NULL, OPTION_FIRMWARE},
	{"pin", required_argument, NULL, OPTION_PIN},
	{"puk", required_argument, NULL, OPTION_PUK},
	{"serial", required_argument, NULL, OPTION_SERIAL},
	{0},
};

static void begin_answer(struct table *table)
{
	fault_spoil(table->hand.fault, &table->answer);
	table->answering = true;
	table->due_ms = card_now_ms() + table->hand.slow_ms;
	if (table->hand.fault == FAULT_SILENCE)
		table->due_ms = INT64_MAX;
}

/* At most one command at a time: the reader waits for its answer. */
static void next_command(struct table *table)
{
	struct bytes command;

	if (!vpcd_next(&table->vpcd, &table->card, &command))
		return;
	buf_clear(&table->answer);
	if (card_command(&table->card, command, &table->answer))
		begin_answer(table);
	else
		table->due_ms = card_now_ms() + table->hand.touch_ms;
	vpcd_handled(&table->vpcd);
}

static void take_out(struct table *table)
{
	vpcd_remove(&table->vpcd, &table->card);
	table->card.pins_here = 0;
	table->answering = table->hand.touch = false;
}

static void advance(struct table *table)
{
	if (!table->hand.inserted && table->vpcd.fd >= 0)
		take_out(table);
	if (table->hand.port > 0 && table->vpcd.fd < 0)
		table->vpcd.port = (uint16_t)table->hand.port;
	if (table->hand.inserted && table->vpcd.fd < 0)
		vpcd_insert(&table->vpcd);
	if (table->card.touch_awaited && (table->hand.touch || card_now_ms() >= table->due_ms)) {
		card_touch(&table->card, table->hand.touch, &table->answer);
		table->hand.touch = false;
		begin_answer(table);
	}
	if (table->answering && card_now_ms() >= table->due_ms) {
		table->answering = false;
		if (!vpcd_send(&table->vpcd, buf_bytes(&table->answer)))
			take_out(table);
	}
	while (table->vpcd.fd >= 0 && !table->answering && !table->card.touch_awaited &&
		table->vpcd.in.len > 0) {
		size_t before = table->vpcd.in.len;

		next_command(table);
		if (table->vpcd.in.len == before)
			break;
	}
}

static int patience_ms(const struct table *table)
{
	int64_t left;

	if (table->answering || table->card.touch_awaited) {
		left = table->due_ms - card_now_ms();
		if (left > INT_MAX)
			return -1;
		return left < 0 ? 0 : (int)left;
	}
	return table->hand.inserted && table->vpcd.fd < 0 ? RETRY_MS : -1;
}

/* False: it was told to end. */
static bool turn(struct table *table, int control, int signals)
{
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = control, .events = POLLIN},
		{.fd = table->vpcd.fd, .events = POLLIN}};

	if (poll(fds, 3, patience_ms(table)) < 0)
		return true;
	if (fds[0].revents)
		return false;
	if (fds[1].revents)
		control_serve(control, &table->hand, &table->card, table->vpcd.fd >= 0);
	if (fds[2].revents && !vpcd_receive(&table->vpcd))
		take_out(table);
	return true;
}

static int ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool set(struct table *table, int option, const char **control)
{
	struct card *card = &table->card;

	switch (option) {
	case OPTION_PORT:
		table->vpcd.port = (uint16_t)atoi(optarg);
		return true;
	case OPTION_CONTROL:
		*control = optarg;
		return true;
	case OPTION_ABSENT:
		table->hand.inserted = false;
		return true;
	case OPTION_YUBIKEY:
		return card->yubikey = true;
	case OPTION_OPENPGP:
		return card->openpgp = true;
	case OPTION_FIRMWARE:
		return sscanf(optarg, "%hhu.%hhu.%hhu", &card->version[0], &card->version[1],
			       &card->version[2]) == 3;
	case OPTION_PIN:
		pin_set(&card->pin, optarg);
		return true;
	case OPTION_PUK:
		pin_set(&card->puk, optarg);
		return true;
	case OPTION_SERIAL:
		card->serial = (uint32_t)strtoul(optarg, NULL, 10);
		return true;
	default:
		return false;
	}
}

static bool read_options(struct table *table, int count, char **arguments, const char **control)
{
	int option;

	while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
		if (!set(table, option, control))
			return false;
	}
	for (int i = optind; i < count; i++) {
		if (!slots_fill(table->card.slots, arguments[i]))
			return false;
	}
	return *control != NULL;
}

int main(int count, char **arguments)
{
	struct table table = {.hand = {.inserted = true, .touch_ms = TOUCH_MS}};
	const char *path = NULL;
	int control, signals = ending_signals(), result = 1;

	card_init(&table.card);
	vpcd_init(&table.vpcd, 35963);
	if (!read_options(&table, count, arguments, &path))
		fprintf(stderr, "piv-card: see the top of tests/card/main.c\n");
	else if ((control = control_open(path)) < 0 || signals < 0)
		perror(path);
	else {
		do
			advance(&table);
		while (turn(&table, control, signals));
		take_out(&table);
		close(control);
		result = 0;
	}
	card_deinit(&table.card);
	buf_deinit(&table.vpcd.in);
	buf_deinit(&table.answer);
	return result;
}
