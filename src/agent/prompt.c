/*
 * The prompt queue and its helper process. The PIN goes from the helper into a pipe whose other end
 * the agent passes on unread, and only after the helper has ended well.
 */
#include "prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "prompt_way.h"
#include "spawn.h"

#define WORDS_MAX 300

struct prompt {
	struct prompt *next;
	struct agent *agent;
	struct prompt_question question;
	char *about;
	char *path; /* NULL: local */
	bool running;
	bool withdrawn;
	prompt_answered *answered;
	void *owner;
	uv_process_t process;
	uv_timer_t timer;
	unsigned handles;
	int pin_fd;   /* reading end */
	int words_fd; /* reading end of the helper's standard error */
};

static struct prompt_way_choice way_for(const struct agent *agent, enum prompt_kind kind)
{
	const struct prompt_way_facts facts = {.config = &agent->config,
		.environment = agent->settings.environment,
		.pinentry_installed = access(prompt_way_pinentry(&agent->config), X_OK) == 0};

	return prompt_way_choose(&facts, kind);
}

const char *prompt_obstacle(const struct agent *agent)
{
	return way_for(agent, PROMPT_PIN).obstacle;
}

const char *prompt_about(const struct prompt *prompt)
{
	return prompt->about;
}

const struct prompt *prompt_next(const struct prompt *prompt)
{
	return prompt->next;
}

static void prompt_free(struct prompt *prompt)
{
	prompt_question_deinit(&prompt->question);
	free(prompt->about);
	free(prompt->path);
	if (prompt->pin_fd >= 0)
		close(prompt->pin_fd);
	if (prompt->words_fd >= 0)
		close(prompt->words_fd);
	free(prompt);
}

static void on_closed(uv_handle_t *handle)
{
	struct prompt *prompt = handle->data;

	if (--prompt->handles == 0)
		prompt_free(prompt);
}

static bool take_out(struct prompt **list, struct prompt *prompt)
{
	while (*list != NULL && *list != prompt)
		list = &(*list)->next;
	if (*list == NULL)
		return false;
	*list = prompt->next;
	prompt->next = NULL;
	return true;
}

static void open_next(struct agent *agent);

static void log_words(struct prompt *prompt)
{
	char text[WORDS_MAX];
	char quoted[TEXT_QUOTED_MAX];
	ssize_t got = read(prompt->words_fd, text, sizeof(text));

	while (got > 0 && text[got - 1] == '\n')
		got--;
	if (got > 0)
		log_warning("the prompt failed: %s",
			text_quote(BYTES((uint8_t *)text, (size_t)got), quoted));
}

static void learn(const struct prompt *prompt, enum prompt_status status)
{
	struct mutes *mutes = &prompt->agent->prompts.mutes;

	if (prompt->path == NULL || prompt->question.kind == PROMPT_NOTICE)
		return;
	if (status == PROMPT_NO)
		mute_begin(mutes, prompt->path, uv_now(&prompt->agent->loop));
	else if (status == PROMPT_YES)
		mute_forget(mutes, prompt->path);
}

/* The process has ended, so its words and the PIN are in their pipes. */
static void on_ended(uv_process_t *process, int64_t code, int signal_number)
{
	struct prompt *prompt = process->data;
	struct agent *agent = prompt->agent;
	enum prompt_status status = PROMPT_FAILED;
	int pin_fd = -1;

	children_ended(&agent->children, process->pid);
	if (signal_number == 0 && code >= PROMPT_YES && code <= PROMPT_FAILED)
		status = (enum prompt_status)code;
	log_words(prompt);
	uv_timer_stop(&prompt->timer);
	uv_close((uv_handle_t *)&prompt->timer, on_closed);
	uv_close((uv_handle_t *)process, on_closed);
	if (agent->prompts.open == prompt)
		agent->prompts.open = NULL;
	take_out(&agent->prompts.notices, prompt);
	if (!prompt->withdrawn) {
		learn(prompt, status);
		if (status == PROMPT_YES && prompt->question.kind == PROMPT_PIN) {
			pin_fd = prompt->pin_fd;
			prompt->pin_fd = -1;
		}
		prompt->answered(prompt->owner, status, pin_fd);
	}
	open_next(agent);
}

static void on_timeout(uv_timer_t *timer)
{
	struct prompt *prompt = timer->data;

	/* The second time its patience is over too. */
	uv_process_kill(&prompt->process, uv_timer_get_repeat(timer) != 0 ? SIGKILL : SIGTERM);
	uv_timer_set_repeat(timer, 1000);
	uv_timer_again(timer);
}

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

static enum ks_error start(struct prompt *prompt)
{
	AUTO(fd) question = question_pipe(&prompt->question);
	AUTO(fd) words = -1;
	AUTO(fd) pin = -1;
	enum ks_error error;

	if (question < 0 || !make_pipe(&prompt->words_fd, &words) ||
		fcntl(prompt->words_fd, F_SETFL, O_NONBLOCK) != 0 ||
		(prompt->question.kind == PROMPT_PIN && !make_pipe(&prompt->pin_fd, &pin)))
		return KS_NO_MEMORY;
	prompt->process.data = prompt;
	prompt->timer.data = prompt;
	uv_timer_init(&prompt->agent->loop, &prompt->timer);
	prompt->handles = 2;
	error = spawn_prompt(prompt->agent,
		&(struct spawn_prompt){.question_fd = question, .words_fd = words, .pin_fd = pin},
		&prompt->process, on_ended);
	if (error == KS_OK) {
		prompt->running = true;
		prompt->agent->prompts.asked++;
		uv_timer_start(
			&prompt->timer, on_timeout, prompt->agent->config.prompt_timeout_ms, 0);
		return KS_OK;
	}
	uv_close((uv_handle_t *)&prompt->timer, on_closed);
	uv_close((uv_handle_t *)&prompt->process, on_closed);
	return error;
}

/* Local ones first, then in order. */
static struct prompt *choose(struct prompts *prompts)
{
	for (struct prompt *prompt = prompts->waiting; prompt != NULL; prompt = prompt->next)
		if (prompt->path == NULL)
			return prompt;
	return prompts->waiting;
}

/* The person said no on this way while it waited. */
static bool is_muted(const struct prompt *prompt)
{
	const struct agent *agent = prompt->agent;

	return prompt->path != NULL &&
	       mute_holds(&agent->prompts.mutes, prompt->path, uv_now(&agent->loop));
}

static void open_next(struct agent *agent)
{
	struct prompts *prompts = &agent->prompts;
	struct prompt *prompt;

	while (prompts->open == NULL && (prompt = choose(prompts)) != NULL) {
		bool muted = is_muted(prompt);
		bool had_handles;

		take_out(&prompts->waiting, prompt);
		prompts->open = prompt;
		if (!muted && start(prompt) == KS_OK)
			return;
		prompts->open = NULL;
		had_handles = prompt->handles > 0;
		if (!prompt->withdrawn)
			prompt->answered(prompt->owner, muted ? PROMPT_NO : PROMPT_FAILED, -1);
		if (!had_handles)
			prompt_free(prompt);
	}
}

static void on_starter(uv_timer_t *starter)
{
	open_next(starter->data);
}

static unsigned count_waiting(const struct prompts *prompts, bool remote_only)
{
	unsigned count = 0;

	for (const struct prompt *prompt = prompts->waiting; prompt != NULL; prompt = prompt->next)
		count += prompt->path != NULL || !remote_only;
	return count;
}

static struct prompt_question question_of(
	const struct prompt_wish *wish, const struct prompt_way_choice *way, uint32_t timeout_ms)
{
	return (struct prompt_question){.kind = wish->kind,
		.way = way->way,
		.notify = way->notify,
		.text = strdup(wish->text),
		.trouble = strdup(wish->trouble != NULL ? wish->trouble : ""),
		.program = strdup(way->program),
		.terminal = strdup(way->terminal),
		.timeout_seconds = timeout_ms / 1000};
}

static bool is_complete(const struct prompt *prompt)
{
	const struct prompt_question *question = &prompt->question;

	return question->text != NULL && question->trouble != NULL && question->program != NULL &&
	       question->terminal != NULL && prompt->about != NULL;
}

static struct prompt *prompt_new(
	struct agent *agent, const struct prompt_wish *wish, const struct prompt_way_choice *way)
{
	struct prompt *prompt = calloc(1, sizeof(*prompt));

	if (prompt == NULL)
		return NULL;
	*prompt = (struct prompt){.agent = agent,
		.question = question_of(wish, way, agent->config.prompt_timeout_ms),
		.about = strdup(wish->about),
		.path = wish->path != NULL ? strdup(wish->path) : NULL,
		.answered = wish->answered,
		.owner = wish->owner,
		.pin_fd = -1,
		.words_fd = -1};
	if (is_complete(prompt) && (wish->path == NULL || prompt->path != NULL))
		return prompt;
	prompt_free(prompt);
	return NULL;
}

static enum ks_error show_notice(struct prompt *prompt, struct prompt **out)
{
	struct prompts *prompts = &prompt->agent->prompts;
	enum ks_error error = start(prompt);

	if (error != KS_OK) {
		if (prompt->handles == 0)
			prompt_free(prompt);
		return error;
	}
	prompt->next = prompts->notices;
	prompts->notices = prompt;
	*out = prompt;
	return KS_OK;
}

enum ks_error prompt_ask(struct agent *agent, const struct prompt_wish *wish, struct prompt **out,
	const char **words)
{
	struct prompts *prompts = &agent->prompts;
	struct prompt **end = &prompts->waiting;
	struct prompt_way_choice way = way_for(agent, wish->kind);
	struct prompt *prompt;

	*out = NULL;
	*words = way.obstacle;
	if (*words != NULL)
		return KS_PIN_NEEDED;
	*words = "the person said no to requests that come this way a moment ago";
	if (wish->path != NULL && mute_holds(&prompts->mutes, wish->path, uv_now(&agent->loop)))
		return KS_REFUSED;
	*words = "too many questions wait for the person already";
	if (wish->kind != PROMPT_NOTICE &&
		(count_waiting(prompts, false) >= PROMPTS_WAITING_MAX ||
			(wish->path != NULL &&
				count_waiting(prompts, true) >= PROMPTS_WAITING_MAX / 2)))
		return KS_BUSY;
	*words = "out of memory";
	prompt = prompt_new(agent, wish, &way);
	if (prompt == NULL)
		return KS_NO_MEMORY;
	if (wish->kind == PROMPT_NOTICE)
		return show_notice(prompt, out);
	*out = prompt;
	while (*end != NULL)
		end = &(*end)->next;
	*end = prompt;
	/* Started from the loop, so that the asker is never answered from within its own call. */
	uv_timer_start(&prompts->starter, on_starter, 0, 0);
	return KS_OK;
}

void prompt_withdraw(struct prompt *prompt)
{
	prompt->withdrawn = true;
	if (prompt->running) {
		uv_process_kill(&prompt->process, SIGTERM);
		uv_timer_start(&prompt->timer, on_timeout, 1000, 1000);
		return;
	}
	take_out(&prompt->agent->prompts.waiting, prompt);
	prompt_free(prompt);
}

void prompts_init(struct agent *agent)
{
	uv_timer_init(&agent->loop, &agent->prompts.starter);
	agent->prompts.starter.data = agent;
}

void prompts_deinit(struct agent *agent)
{
	struct prompts *prompts = &agent->prompts;

	while (prompts->waiting != NULL)
		prompt_withdraw(prompts->waiting);
	if (prompts->open != NULL)
		prompt_withdraw(prompts->open);
	for (struct prompt *notice = prompts->notices; notice != NULL; notice = notice->next)
		prompt_withdraw(notice);
	uv_close((uv_handle_t *)&prompts->starter, NULL);
}
