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
	*run = (struct prompt_run){.agent = agent, .pin_fd = -1, .words_fd = -1};
}

/* ---- The end ---- */

static void finish(struct prompt_run *run)
{
	if (run->pin_fd >= 0)
		close(run->pin_fd);
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
}

static void log_words(const struct prompt_run *run)
{
	char text[WORDS_MAX];
	char quoted[TEXT_QUOTED_MAX];
	ssize_t got = read(run->words_fd, text, sizeof(text));

	while (got > 0 && text[got - 1] == '\n')
		got--;
	if (got > 0)
		log_warning("the prompt failed: %s",
			text_quote(BYTES((uint8_t *)text, (size_t)got), quoted));
}

/* The process has ended, so its words and the PIN are in their pipes. */
static void on_ended(uv_process_t *process, int64_t code, int signal_number)
{
	struct prompt_run *run = process->data;
	enum prompt_status status = PROMPT_FAILED;

	children_ended(&run->agent->children, process->pid);
	if (signal_number == 0 && code >= PROMPT_YES && code <= PROMPT_FAILED)
		status = (enum prompt_status)code;
	log_words(run);
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

enum ks_error prompt_run_start(struct prompt_run *run, const struct prompt_question *question)
{
	AUTO(fd) asked = question_pipe(question);
	AUTO(fd) words = -1;
	AUTO(fd) pin = -1;
	enum ks_error error;

	if (asked < 0 || !make_pipe(&run->words_fd, &words) ||
		fcntl(run->words_fd, F_SETFL, O_NONBLOCK) != 0 ||
		(question->kind == PROMPT_PIN && !make_pipe(&run->pin_fd, &pin)))
		return KS_NO_MEMORY;
	run->process.data = run;
	run->timer.data = run;
	uv_timer_init(&run->agent->loop, &run->timer);
	run->handles = 2;
	error = spawn_prompt(run->agent,
		&(struct spawn_prompt){.question_fd = asked, .words_fd = words, .pin_fd = pin},
		&run->process, on_ended);
	if (error == KS_OK)
		uv_timer_start(&run->timer, on_timeout, run->agent->config.prompt_timeout_ms, 0);
	return error;
}
