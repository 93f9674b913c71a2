/*
 * One prompt program, or the conversation with a pinentry, from fork to its end. Its output goes
 * straight from the pipe into locked memory; its standard error goes nowhere, since a script under
 * `set -x` prints the PIN there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "ask.h"
#include "pinentry.h"

#define PATIENCE_MS 200 /* between SIGTERM and SIGKILL */

enum event { EVENT_NONE, EVENT_ENDED, EVENT_WITHDRAWN, EVENT_TOO_LONG };

struct running {
	pid_t pid;
	int output;  /* reading end; -1 when it has been closed */
	int failure; /* reading end of a pipe that holds errno when the program could not be run */
	int signals;
	struct secret *answer;
	bool notice;	   /* and nobody was told yet that it is shown */
	bool conversation; /* with a pinentry */
};

int ask_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void ask_shown(void)
{
	/* Who does not want to know has closed it. */
	(void)!write(PROMPT_SHOWN_FD, "", 1);
}

/* ---- In the child ---- */

/* As ssh-agent tells askpass what it is for. */
static int set_prompt_variable(enum prompt_kind kind)
{
	if (kind == PROMPT_PIN)
		return unsetenv("SSH_ASKPASS_PROMPT");
	return setenv("SSH_ASKPASS_PROMPT", kind == PROMPT_CONFIRM ? "confirm" : "none", 1);
}

static void reset_signals(void)
{
	sigset_t none;

	/* Fails for the few that can't be changed: they are as they should be. */
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Goes on without exec(), as this program has but one thread. */
static void become_conversation(const struct prompt_question *question)
{
	if (close_range(STDERR_FILENO + 1, ~0U, 0) == 0)
		_exit((int)pinentry_ask(question));
}

static void become_program(
	const struct prompt_question *question, pid_t parent, int output, int failure)
{
	char *arguments[] = {question->program, question->text, NULL};
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	int reason;

	reset_signals();
	if (setsid() >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
		getppid() == parent && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
		dup2(output, STDOUT_FILENO) >= 0 && dup2(nothing, STDERR_FILENO) >= 0 &&
		set_prompt_variable(question->kind) == 0) {
		if (question->way == PROMPT_BY_PINENTRY)
			become_conversation(question);
		else
			execvp(question->program, arguments);
	}
	reason = errno;
	if (write(failure, &reason, sizeof(reason)) != sizeof(reason))
		_exit(126);
	_exit(127);
}

/* ---- In the helper ---- */

/* False with errno; the descriptors of running are the caller's to close either way. */
static bool start(const struct prompt_question *question, struct running *running)
{
	pid_t parent = getpid();
	int output[2], failure[2];

	if (pipe2(output, O_CLOEXEC) != 0)
		return false;
	AUTO(fd)
	output_end = output[1];
	running->output = output[0];
	if (pipe2(failure, O_CLOEXEC) != 0)
		return false;
	AUTO(fd)
	failure_end = failure[1];
	running->failure = failure[0];
	if (fcntl(running->output, F_SETFL, O_NONBLOCK) != 0)
		return false;
	running->pid = fork();
	if (running->pid == 0)
		become_program(question, parent, output_end, failure_end);
	return running->pid > 0;
}

/* Takes what is there. False when it was too much. */
static bool take_output(struct running *running)
{
	struct secret *answer = running->answer;

	while (running->output >= 0) {
		ssize_t got = read(
			running->output, answer->data + answer->len, answer->cap - answer->len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return true;
		if (got <= 0) {
			close(running->output);
			running->output = -1;
			return true;
		}
		answer->len += (size_t)got;
		if (answer->len == answer->cap)
			return false;
	}
	return true;
}

/* The program stays a zombie until it is reaped, so that its group can't be somebody else's. */
static bool has_ended(const struct running *running)
{
	siginfo_t child = {0};

	return waitid(P_PID, (id_t)running->pid, &child, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       child.si_pid == running->pid;
}

static enum event next_signal(const struct running *running)
{
	struct signalfd_siginfo info;

	while (read(running->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			return EVENT_WITHDRAWN;
	}
	return has_ended(running) ? EVENT_ENDED : EVENT_NONE;
}

/*
 * A notice: an askpass is there when its end of the pipe for failures was closed by execve(), a
 * pinentry when its conversation says so with a line of output.
 */
static bool is_shown(const struct running *running)
{
	struct pollfd failure = {.fd = running->failure, .events = POLLIN};

	if (running->conversation)
		return running->answer->len > 0;
	return poll(&failure, 1, 0) > 0 && (failure.revents & POLLIN) == 0;
}

static void watch_notice(struct running *running)
{
	if (!running->notice || !is_shown(running))
		return;
	ask_shown();
	running->notice = false;
}

static enum event await_event(struct running *running)
{
	struct pollfd ends[] = {
		{.fd = running->signals, .events = POLLIN},
		{.fd = running->output, .events = POLLIN},
		{.fd = running->failure},
	};
	enum event event = EVENT_NONE;

	while (event == EVENT_NONE) {
		if (poll(ends, 3, -1) < 0 && errno != EINTR)
			return EVENT_WITHDRAWN;
		event = next_signal(running);
		if (event != EVENT_WITHDRAWN && !take_output(running))
			return EVENT_TOO_LONG;
		if (event == EVENT_NONE)
			watch_notice(running);
		ends[1].fd = running->output;
		/* It hung up for good. */
		if (ends[2].revents != 0)
			ends[2].fd = -1;
	}
	return event;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void signal_group(const struct running *running, int number)
{
	/* No such group: the child has not got to setsid() yet. */
	if (kill(-running->pid, number) != 0)
		kill(running->pid, number);
}

static void end_program(const struct running *running)
{
	struct pollfd end = {.fd = running->signals, .events = POLLIN};
	int64_t deadline = now_ms() + PATIENCE_MS;

	signal_group(running, SIGTERM);
	for (int64_t left = PATIENCE_MS; left > 0 && !has_ended(running);
		left = deadline - now_ms()) {
		struct signalfd_siginfo info;

		if (poll(&end, 1, (int)left) > 0)
			(void)!read(running->signals, &info, sizeof(info));
	}
	signal_group(running, SIGKILL);
}

static int reap(const struct running *running)
{
	int status = 0;

	while (waitpid(running->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static struct answer unable(int reason)
{
	if (reason == ENOENT || reason == EACCES)
		return (struct answer){
			.status = PROMPT_NOBODY,
			.words = "there is no such prompt program, or it can't be run",
		};
	return (struct answer){
		.status = PROMPT_FAILED,
		.words = "the prompt program can't be started",
	};
}

static struct answer judge(
	const struct prompt_question *question, struct running *running, enum event event)
{
	struct bytes output;
	int reason = 0;
	int status;

	if (event != EVENT_ENDED)
		end_program(running);
	status = reap(running);
	if (event == EVENT_WITHDRAWN)
		return (struct answer){.status = PROMPT_NO};
	if (event == EVENT_TOO_LONG)
		return (struct answer){
			.status = PROMPT_FAILED,
			.words = "the prompt program printed too much",
		};
	if (read(running->failure, &reason, sizeof(reason)) == sizeof(reason))
		return unable(reason);
	output = BYTES(running->answer->data, running->answer->len);
	return question->way == PROMPT_BY_PINENTRY
		       ? answer_of_pinentry(question->kind, status, output)
		       : answer_of(question->kind, status, output);
}

struct answer ask(const struct prompt_question *question, int signals, struct secret *output)
{
	struct running running = {.output = -1,
		.failure = -1,
		.signals = signals,
		.answer = output,
		.notice = question->kind == PROMPT_NOTICE,
		.conversation = question->way == PROMPT_BY_PINENTRY};
	struct answer answer;

	if (start(question, &running))
		answer = judge(question, &running, await_event(&running));
	else
		answer = unable(0);
	if (running.output >= 0)
		close(running.output);
	if (running.failure >= 0)
		close(running.failure);
	return answer;
}
