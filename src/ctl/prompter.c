/*
 * Waits for what the agent tells, and for the signals that end it. The helper puts the terminal's
 * modes right; only where it may have been killed in the middle of a question is that done here.
 */
#include "prompter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "field.h"
#include "page.h"

struct prompter {
	struct control *control;
	int terminal;
	int signals;
	struct termios modes;
	unsigned open; /* questions and notices that are shown */
};

static enum ks_error refuse(const char *words)
{
	complain("%s", words);
	return KS_REFUSED;
}

/* ---- The terminal ---- */

/* A descriptor of its own, and the modes. What the agent's helper checks is checked first here,
 * where it can be said. */
static enum ks_error take_terminal(struct prompter *prompter)
{
	char path[PATH_MAX];

	if (!isatty(STDIN_FILENO) || ttyname_r(STDIN_FILENO, path, sizeof(path)) != 0)
		return refuse("a prompter needs a terminal as its standard input");
	if (tcgetpgrp(STDIN_FILENO) != getpgrp())
		return refuse("a prompter runs in the foreground of its own terminal");
	prompter->terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (prompter->terminal < 0 || tcgetattr(prompter->terminal, &prompter->modes) != 0)
		return refuse("the terminal can't be opened");
	if ((prompter->modes.c_lflag & ICANON) == 0 || (prompter->modes.c_lflag & ECHO) == 0)
		return refuse("the terminal is not in its usual modes; `stty sane` puts it right");
	return KS_OK;
}

/* Not while a question is shown there, or the next one is: the helper needs its own modes. What was
 * typed meanwhile was for nobody. */
static void put_right(const struct prompter *prompter)
{
	struct pollfd more = {.fd = prompter->control->fd, .events = POLLIN};

	if (prompter->open > 0 || poll(&more, 1, 0) > 0)
		return;
	tcflush(prompter->terminal, TCIFLUSH);
	tcsetattr(prompter->terminal, TCSANOW, &prompter->modes);
}

static int listen_for_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGQUIT);
	/* Printing into a terminal that is gone must not end it before it has said why. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- What is said ---- */

static void print_waiting(void)
{
	puts("Waiting for questions. Ctrl-C ends.");
	fflush(stdout);
}

static void print_welcome(const json_t *answer)
{
	const char *elsewhere = text_in(answer, "elsewhere");

	printf("This terminal is for the questions of the agent (pid %d).\n",
		(int)json_integer_value(json_object_get(answer, "pid")));
	if (*elsewhere != '\0') {
		AUTO(text) name = page_escape(elsewhere, false);

		printf("But it asks by %s as long as it can: \"prompts = terminal\" in "
		       "keystile.conf(5) changes that.\n",
			name != NULL ? name : "");
	}
	print_waiting();
}

static void print_over(const json_t *event)
{
	AUTO(text) words = page_escape(text_in(event, "text"), false);
	time_t now = time(NULL);
	char when[16] = "";
	struct tm parts;

	if (localtime_r(&now, &parts) != NULL)
		strftime(when, sizeof(when), "%H:%M:%S", &parts);
	printf("%s: the question was %s.\n", when, words != NULL ? words : "");
	print_waiting();
}

/* ---- The wait ---- */

static bool ended_well(const json_t *event)
{
	return strcmp(text_in(event, "text"), "answered") == 0 ||
	       strcmp(text_in(event, "text"), "refused") == 0;
}

static enum ks_error hear(struct prompter *prompter)
{
	json_t *event = NULL;
	enum ks_error error = control_hear(prompter->control, &event);
	const char *name = text_in(event, "event");

	if (error != KS_OK)
		return error;
	if (strcmp(name, "question") == 0) {
		prompter->open++;
	} else if (strcmp(name, "over") == 0) {
		prompter->open -= prompter->open > 0;
		if (!ended_well(event))
			put_right(prompter);
		print_over(event);
	} else if (strcmp(name, "dropped") == 0) {
		complain("the agent asks elsewhere: %s", text_in(event, "text"));
		error = KS_REFUSED;
	}
	json_decref(event);
	return error;
}

static enum ks_error wait_for_questions(struct prompter *prompter)
{
	struct pollfd ends[] = {{.fd = prompter->signals, .events = POLLIN},
		{.fd = prompter->control->fd, .events = POLLIN}};
	enum ks_error error = KS_OK;

	while (error == KS_OK) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return refuse("waiting for questions failed");
		if ((ends[0].revents & POLLIN) != 0)
			return KS_OK;
		if (ends[1].revents != 0)
			error = hear(prompter);
	}
	return error;
}

static enum ks_error serve(struct prompter *prompter)
{
	json_t *request = json_pack("{s:s}", "command", "prompter");
	json_t *answer = NULL;
	enum ks_error error =
		control_hand_over(prompter->control, request, prompter->terminal, &answer);

	json_decref(request);
	if (error != KS_OK)
		return error;
	print_welcome(answer);
	json_decref(answer);
	error = wait_for_questions(prompter);
	/* With it the agent's helper ends too. */
	prompter->open = 0;
	put_right(prompter);
	return error;
}

enum ks_error prompter_run(struct control *control)
{
	struct prompter prompter = {.control = control, .terminal = -1, .signals = -1};
	enum ks_error error = take_terminal(&prompter);

	if (error == KS_OK) {
		prompter.signals = listen_for_signals();
		error = prompter.signals < 0 ? refuse("no way to listen for signals")
					     : serve(&prompter);
	}
	if (prompter.signals >= 0)
		close(prompter.signals);
	if (prompter.terminal >= 0)
		close(prompter.terminal);
	return error;
}
