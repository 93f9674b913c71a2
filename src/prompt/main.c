/*
 * keystile-prompt: stands between the agent and a prompt program or a terminal, so that the agent
 * never sees a PIN and never waits. It hears one question on standard input, runs the program,
 * judges how that ended, and only then hands the PIN on. Its exit status is the answer
 * (include/keystile/prompt.h); a line on standard error says what failed, and nothing of what was
 * typed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "ask.h"
#include "notification.h"
#include "terminal.h"

static int fail(const char *words)
{
	dprintf(STDERR_FILENO, "%s\n", words);
	return PROMPT_FAILED;
}

/* ---- Rights that are given up first ---- */

static bool fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= PROMPT_PIN_FD; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	}
	return true;
}

/* The pipe for the PIN and the terminal may be missing; the prompt program must have neither. */
static bool close_other_descriptors(void)
{
	for (int fd = PROMPT_PIN_FD; fd <= PROMPT_TERMINAL_FD; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 && errno != EBADF)
			return false;
	return close_range(PROMPT_TERMINAL_FD + 1, ~0U, 0) == 0;
}

static bool refuse_dumps(void)
{
	const struct rlimit none = {0, 0};

#ifndef KEYSTILE_SANITIZED /* LeakSanitizer traces its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return false;
#endif
	return setrlimit(RLIMIT_CORE, &none) == 0;
}

static bool harden(pid_t agent)
{
	return fill_standard_descriptors() && close_other_descriptors() && refuse_dumps() &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0 && getppid() == agent &&
	       signal(SIGPIPE, SIG_IGN) != SIG_ERR;
}

/* ---- The question and the answer ---- */

static enum ks_error read_question(struct prompt_question *question)
{
	AUTO(buf)
	bytes = {0};
	ssize_t got;

	buf_init(&bytes, PROMPT_MAX + 1);
	do {
		uint8_t *at = buf_reserve(&bytes, PROMPT_MAX + 1 - bytes.len);

		if (at == NULL)
			return KS_NO_MEMORY;
		got = read(STDIN_FILENO, at, PROMPT_MAX + 1 - bytes.len);
		if (got > 0)
			bytes.len += (size_t)got;
	} while (bytes.len <= PROMPT_MAX && (got > 0 || (got < 0 && errno == EINTR)));
	return got == 0 ? prompt_question_decode(buf_bytes(&bytes), question) : KS_BAD_INPUT;
}

/* The pipe is empty and takes it at once. */
static bool hand_over(struct bytes pin)
{
	return write(PROMPT_PIN_FD, pin.data, pin.len) == (ssize_t)pin.len;
}

static bool has_pin_pipe(void)
{
	struct stat facts;

	return fstat(PROMPT_PIN_FD, &facts) == 0 && S_ISFIFO(facts.st_mode);
}

static bool in_terminal(const struct prompt_question *question)
{
	return question->way == PROMPT_BY_PROMPTER || question->way == PROMPT_BY_ASKER;
}

/* What the question is waiting for is there, before anything else can get its number. */
static bool has_descriptors(const struct prompt_question *question)
{
	if (question->way == PROMPT_BY_PROMPTER && !isatty(PROMPT_TERMINAL_FD))
		return false;
	return question->kind != PROMPT_PIN || has_pin_pipe();
}

/* The program, or the terminal, only where the desktop shows nothing. */
static struct answer find_answer(const struct prompt_question *question, int signals,
	struct secret *output, char words[static TERMINAL_WORDS_MAX])
{
	struct answer answer = {.status = PROMPT_NOBODY,
		.words = "no notification service on the session bus shows notices"};

	if (question->notify)
		answer = notification_show(question, signals);
	if (answer.status != PROMPT_NOBODY)
		return answer;
	if (in_terminal(question))
		return terminal_ask(question, signals, output, words);
	return *question->program == '\0' ? answer : ask(question, signals, output);
}

static int ask_and_answer(const struct prompt_question *question)
{
	char words[TERMINAL_WORDS_MAX];
	struct secret output = {0};
	struct answer answer = {.status = PROMPT_FAILED, .words = "no memory for an answer"};
	int signals;

	if (!has_descriptors(question))
		return fail("there is no pipe to hand a PIN on, or no terminal");
	signals = ask_signals();
	if (signals < 0)
		return fail("no way to listen for signals");
	if (secret_init(&output, ASK_OUTPUT_MAX) == KS_OK)
		answer = find_answer(question, signals, &output, words);
	if (answer.pin.len > 0 && !hand_over(answer.pin))
		answer = (struct answer){
			.status = PROMPT_FAILED, .words = "the PIN could not be handed on"};
	secret_deinit(&output);
	close(signals);
	if (answer.words != NULL)
		fail(answer.words);
	return (int)answer.status;
}

int main(void)
{
	pid_t agent = getppid();
	struct prompt_question question = {0};
	int status;

	if (!harden(agent))
		return fail("the prompt helper could not give up its rights");
	if (read_question(&question) != KS_OK)
		return fail("the question is malformed");
	status = ask_and_answer(&question);
	prompt_question_deinit(&question);
	return status;
}
