/*
 * The prompts that wait and those that are open. Which is next: prompt_queue.h; what runs one:
 * prompt_run.h.
 */
#include "prompt.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "prompt_run.h"
#include "prompt_way.h"

struct prompt {
	struct prompt_place place; /* first; while it waits, and of a notice while it is shown */
	struct agent *agent;
	struct prompt_question question;
	char *about;
	char *path; /* NULL: local */
	bool running;
	bool withdrawn;
	prompt_answered *answered;
	void *owner;
	struct prompt_run run;
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

/* The place is the first member. */
static struct prompt *prompt_at(struct prompt_place *place)
{
	return (struct prompt *)place;
}

const struct prompt *prompt_first(const struct prompt_queue *queue)
{
	return prompt_at(queue->first);
}

const struct prompt *prompt_next(const struct prompt *prompt)
{
	return prompt_at(prompt->place.next);
}

static void prompt_free(struct prompt *prompt)
{
	prompt_question_deinit(&prompt->question);
	free(prompt->about);
	free(prompt->path);
	free(prompt);
}

static struct prompt *prompt_of(struct prompt_run *run)
{
	return (struct prompt *)((char *)run - offsetof(struct prompt, run));
}

static void on_closed(struct prompt_run *run)
{
	prompt_free(prompt_of(run));
}

/* ---- The answer ---- */

static void open_next(struct agent *agent);

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

static void on_ended(struct prompt_run *run, enum prompt_status status)
{
	struct prompt *prompt = prompt_of(run);
	struct agent *agent = prompt->agent;
	int pin_fd = -1;

	if (agent->prompts.open == prompt)
		agent->prompts.open = NULL;
	else
		prompt_queue_remove(&agent->prompts.notices, &prompt->place);
	if (!prompt->withdrawn) {
		learn(prompt, status);
		if (status == PROMPT_YES && prompt->question.kind == PROMPT_PIN) {
			pin_fd = run->pin_fd;
			run->pin_fd = -1;
		}
		prompt->answered(prompt->owner, status, pin_fd);
	}
	open_next(agent);
}

/* ---- The next one ---- */

static enum ks_error start(struct prompt *prompt)
{
	enum ks_error error = prompt_run_start(&prompt->run, &prompt->question);

	prompt->running = error == KS_OK;
	prompt->agent->prompts.asked += prompt->running;
	return error;
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

	while (prompts->open == NULL && prompts->waiting.first != NULL) {
		struct prompt *prompt = prompt_at(prompt_queue_take(&prompts->waiting));
		bool muted = is_muted(prompt);

		prompts->open = prompt;
		if (!muted && start(prompt) == KS_OK)
			return;
		prompts->open = NULL;
		prompt->answered(prompt->owner, muted ? PROMPT_NO : PROMPT_FAILED, -1);
		prompt_run_close(&prompt->run);
	}
}

static void on_starter(uv_timer_t *starter)
{
	open_next(starter->data);
}

/* ---- A question ---- */

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
		.owner = wish->owner};
	prompt->place.path = prompt->path;
	prompt_run_init(&prompt->run, agent);
	prompt->run.ended = on_ended;
	prompt->run.closed = on_closed;
	if (is_complete(prompt) && (wish->path == NULL || prompt->path != NULL))
		return prompt;
	prompt_free(prompt);
	return NULL;
}

static enum ks_error show_notice(struct prompt *prompt, struct prompt **out)
{
	enum ks_error error = start(prompt);

	if (error != KS_OK) {
		prompt_run_close(&prompt->run);
		return error;
	}
	prompt_queue_add(&prompt->agent->prompts.notices, &prompt->place);
	*out = prompt;
	return KS_OK;
}

enum ks_error prompt_ask(struct agent *agent, const struct prompt_wish *wish, struct prompt **out,
	const char **words)
{
	struct prompts *prompts = &agent->prompts;
	struct prompt_way_choice way = way_for(agent, wish->kind);
	struct prompt *prompt;

	*out = NULL;
	*words = way.obstacle;
	if (*words != NULL)
		return KS_PIN_NEEDED;
	if (wish->path != NULL && mute_holds(&prompts->mutes, wish->path, uv_now(&agent->loop))) {
		*words = "the person said no to requests that come this way a moment ago";
		return KS_REFUSED;
	}
	if (wish->kind != PROMPT_NOTICE)
		*words = prompt_queue_full(&prompts->waiting, wish->path);
	if (*words != NULL)
		return KS_BUSY;
	*words = "out of memory";
	prompt = prompt_new(agent, wish, &way);
	if (prompt == NULL)
		return KS_NO_MEMORY;
	if (wish->kind == PROMPT_NOTICE)
		return show_notice(prompt, out);
	*out = prompt;
	prompt_queue_add(&prompts->waiting, &prompt->place);
	/* Started from the loop, so that the asker is never answered from within its own call. */
	uv_timer_start(&prompts->starter, on_starter, 0, 0);
	return KS_OK;
}

void prompt_withdraw(struct prompt *prompt)
{
	prompt->withdrawn = true;
	if (prompt->running) {
		prompt_run_stop(&prompt->run);
		return;
	}
	prompt_queue_remove(&prompt->agent->prompts.waiting, &prompt->place);
	prompt_run_close(&prompt->run);
}

void prompts_init(struct agent *agent)
{
	uv_timer_init(&agent->loop, &agent->prompts.starter);
	agent->prompts.starter.data = agent;
}

void prompts_deinit(struct agent *agent)
{
	struct prompts *prompts = &agent->prompts;

	while (prompts->waiting.first != NULL)
		prompt_withdraw(prompt_at(prompts->waiting.first));
	if (prompts->open != NULL)
		prompt_withdraw(prompts->open);
	for (struct prompt_place *notice = prompts->notices.first; notice != NULL;
		notice = notice->next)
		prompt_withdraw(prompt_at(notice));
	uv_close((uv_handle_t *)&prompts->starter, NULL);
}
