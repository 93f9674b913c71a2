/*
 * Each second a connection, a status and a page of it, which is written over the one before. What
 * goes beyond the terminal's height is cut, and said to be.
 */
#include "watch.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "command.h"
#include "control.h"
#include "page.h"
#include "status.h"

#define PERIOD_MS 1000
#define LINES 24

static unsigned lines_of_terminal(void)
{
	struct winsize window;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 1 ? window.ws_row
										   : LINES;
}

/* What a run of `keystile status` prints, on either of its outputs; NULL: out of memory. */
static char *make_page(void)
{
	AUTO(buf) said = {.max = (size_t)1 << 16};
	struct page page = page_of(stdout);
	struct control control;
	json_t *status = NULL;
	char *text = NULL;
	size_t len = 0;

	page.out = open_memstream(&text, &len);
	if (page.out == NULL)
		return NULL;
	complain_into(&said);
	if (control_open(&control) == KS_OK) {
		if (control_call(&control, "status", &status) == KS_OK)
			status_print(&page, status, &control);
		control_close(&control);
	}
	complain_into(NULL);
	if (status == NULL)
		page_text(&page, PAGE_BAD, 0, 2, "%.*s", (int)said.len,
			said.data != NULL ? (const char *)said.data : "");
	json_decref(status);
	fclose(page.out);
	return text;
}

/* Over what is there: each line to its end, then the rest of the screen. */
static void draw(const char *text)
{
	unsigned room = lines_of_terminal() - 1;

	fputs("\033[H", stdout);
	while (*text != '\0' && room > 0) {
		size_t len = strcspn(text, "\n");

		fprintf(stdout, "%.*s\033[K\n", (int)len, text);
		text += len;
		text += *text == '\n';
		room--;
	}
	fputs(*text != '\0' ? "(more: keystile status)\033[K\033[J" : "\033[J", stdout);
	fflush(stdout);
}

/* The signals that end it, so that the terminal is left as it was. */
static int ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int watch_status(void)
{
	AUTO(fd) signals = ending_signals();
	struct pollfd end = {.fd = signals, .events = POLLIN};

	if (isatty(STDOUT_FILENO) != 1) {
		complain("--watch is for a terminal; --json is for programs");
		return EXIT_USAGE;
	}
	/* Another screen, without a cursor, where what is too long for a line is cut. */
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
	do {
		AUTO(text) page = make_page();

		draw(page != NULL ? page : "out of memory\n");
	} while (!ferror(stdout) && signals >= 0 && poll(&end, 1, PERIOD_MS) == 0);
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	return command_finish();
}
