/*
 * See prompt_run.h.
 */
#include "prompt_run.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "spawn.h"

#define WORDS_MAX 300

void prompt_run_init(struct prompt_run *run, struct agent *agent)
{
	*run = (struct prompt_run){
		.agent = agent, .pin_fd = -1, .shown_fd = -1, .words_fd = -1, .terminal_fd = -1};
}

/* ---- The end ---- */

static void finish(struct prompt_run *run)
{
	if (run->pin_fd >= 0)
		close(run->pin_fd);
	if (run->shown_fd >= 0)
		close(run->shown_fd);
	if (run->words_fd >= 0)
		close(run->words_fd);
	run->closed(run);
}

static void on_closed(uv_handle_t *handle)
{
	struct prompt_run *run = handle->data;

	if (--run->handles == 0)
		finish(run);
}

void prompt_run_close(struct prompt_run *run)
{
	if (run->handles == 0) {
		finish(run);
		return;
	}
	uv_close((uv_handle_t *)&run->timer, on_closed);
	uv_close((uv_handle_t *)&run->process, on_closed);
	if (run->shown_fd >= 0)
		uv_close((uv_handle_t *)&run->watch, on_closed);
}

static void take_words(struct prompt_run *run)
{
	char text[WORDS_MAX];
	ssize_t got = read(run->words_fd, text, sizeof(text));

	while (got > 0 && text[got - 1] == '\n')
		got--;
	if (got > 0)
		log_warning("the prompt failed: %s",
			text_quote_words(BYTES((uint8_t *)text, (size_t)got), run->words));
}

/* The process has ended, so its words and the PIN are in their pipes. */
static void on_ended(uv_process_t *process, int64_t code, int signal_number)
{
	struct prompt_run *run = process->data;
	enum prompt_status status = PROMPT_FAILED;

	children_ended(&run->agent->children, process->pid);
	if (signal_number == 0 && code >= PROMPT_YES && code <= PROMPT_YES_REMEMBER)
		status = (enum prompt_status)code;
	take_words(run);
	uv_timer_stop(&run->timer);
	run->ended(run, status);
	prompt_run_close(run);
}

static void on_timeout(uv_timer_t *timer)
{
	struct prompt_run *run = timer->data;

	/* The second time its patience is over too. */
	uv_process_kill(&run->process, uv_timer_get_repeat(timer) != 0 ? SIGKILL : SIGTERM);
	uv_timer_set_repeat(timer, 1000);
	uv_timer_again(timer);
}

void prompt_run_stop(struct prompt_run *run)
{
	uv_process_kill(&run->process, SIGTERM);
	uv_timer_start(&run->timer, on_timeout, 1000, 1000);
}

/* One byte, or its end where the helper had nothing to say. */
static void on_shown(uv_poll_t *watch, int status, int events)
{
	struct prompt_run *run = watch->data;
	uint8_t byte;
	bool said = status == 0 && (events & UV_READABLE) != 0 &&
		    read(run->shown_fd, &byte, sizeof(byte)) == sizeof(byte);

	uv_poll_stop(watch);
	if (said && run->shown != NULL)
		run->shown(run);
}

/* ---- The start ---- */

/* A pipe whose given end may go to a child; both close on exec of anything else. */
static bool make_pipe(int *reading, int *writing)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	*reading = ends[0];
	*writing = ends[1];
	return true;
}

/* The question fits into an empty pipe (PROMPT_MAX), so writing it can't block. */
static int question_pipe(const struct prompt_question *question)
{
	AUTO(buf) out = {.max = PROMPT_MAX};
	AUTO(fd) reading = -1;
	AUTO(fd) writing = -1;

	prompt_question_encode(question, &out);
	if (buf_status(&out) != KS_OK || !make_pipe(&reading, &writing) ||
		write(writing, out.data, out.len) != (ssize_t)out.len)
		return -1;
	return TAKE_FD(reading);
}

/* *given is the helper's end: of a pipe for the PIN, or for the news that a notice is shown. */
static bool answer_pipe(struct prompt_run *run, enum prompt_kind kind, int *given)
{
	if (kind == PROMPT_CONFIRM)
		return true;
	return make_pipe(kind == PROMPT_PIN ? &run->pin_fd : &run->shown_fd, given);
}

static bool init_handles(struct prompt_run *run)
{
	run->process.data = run;
	run->timer.data = run;
	run->watch.data = run;
	if (run->shown_fd >= 0) {
		if (uv_poll_init(&run->agent->loop, &run->watch, run->shown_fd) != 0)
			return false;
		run->handles++;
		uv_poll_start(&run->watch, UV_READABLE, on_shown);
	}
	uv_timer_init(&run->agent->loop, &run->timer);
	run->handles += 2;
	return true;
}

enum ks_error prompt_run_start(struct prompt_run *run, const struct prompt_question *question)
{
	AUTO(fd) asked = question_pipe(question);
	AUTO(fd) words = -1;
	AUTO(fd) answer = -1;
	enum ks_error error;

	if (asked < 0 || !make_pipe(&run->words_fd, &words) ||
		fcntl(run->words_fd, F_SETFL, O_NONBLOCK) != 0 ||
		!answer_pipe(run, question->kind, &answer) || !init_handles(run))
		return KS_NO_MEMORY;
	error = spawn_prompt(run->agent,
		&(struct spawn_prompt){.question_fd = asked,
			.words_fd = words,
			.answer_fd = answer,
			.terminal_fd = run->terminal_fd},
		&run->process, on_ended);
	if (error == KS_OK)
		uv_timer_start(&run->timer, on_timeout, run->agent->config.prompt_timeout_ms, 0);
	return error;
}
