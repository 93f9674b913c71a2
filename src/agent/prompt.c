/*
 * Questions that come and those that are withdrawn. What goes on from a question's turn to its
 * answer: prompt_open.c.
 */
#include "prompt.h"

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "prompt_open.h"

const char *prompt_obstacle(const struct agent *agent)
{
	return prompt_where(agent, PROMPT_PIN, NULL).obstacle;
}

const char *prompt_about(const struct prompt *prompt)
{
	return prompt->about;
}

const char *prompt_words(const struct prompt *prompt)
{
	return prompt->run.words;
}

const struct prompt *prompt_first(const struct prompt_queue *queue)
{
	return prompt_at(queue->first);
}

const struct prompt *prompt_next(const struct prompt *prompt)
{
	return prompt_at(prompt->place.next);
}

void prompt_free(struct prompt *prompt)
{
	prompt_question_deinit(&prompt->question);
	free(prompt->about);
	free(prompt->path);
	free(prompt);
}

static void on_starter(uv_timer_t *starter)
{
	prompts_open_next(starter->data);
}

/* ---- A question ---- */

static struct prompt_question question_of(const struct prompt_wish *wish, uint32_t timeout_ms)
{
	return (struct prompt_question){.kind = wish->kind,
		.password = wish->password,
		.text = strdup(wish->text),
		.trouble = strdup(wish->trouble != NULL ? wish->trouble : ""),
		.timeout_seconds = timeout_ms / 1000,
		.remember_seconds = wish->remember_seconds};
}

static bool is_complete(const struct prompt *prompt)
{
	const struct prompt_question *question = &prompt->question;

	return question->text != NULL && question->trouble != NULL && prompt->about != NULL;
}

static struct prompt *prompt_new(struct agent *agent, const struct prompt_wish *wish)
{
	struct prompt *prompt = calloc(1, sizeof(*prompt));

	if (prompt == NULL)
		return NULL;
	*prompt = (struct prompt){.agent = agent,
		.question = question_of(wish, agent->config.prompt_timeout_ms),
		.about = strdup(wish->about),
		.path = wish->path != NULL ? strdup(wish->path) : NULL,
		.asker = wish->asker,
		.answered = wish->answered,
		.shown = wish->shown,
		.owner = wish->owner};
	prompt->place.path = prompt->path;
	prompt_prepare(prompt);
	if (is_complete(prompt) && (wish->path == NULL || prompt->path != NULL))
		return prompt;
	prompt_free(prompt);
	return NULL;
}

static enum ks_error show_notice(
	struct prompt *prompt, const struct prompt_way_choice *way, struct prompt **out)
{
	enum ks_error error = prompt->looking ? KS_OK : prompt_start(prompt, way);

	if (error != KS_OK) {
		prompt_run_close(&prompt->run);
		return error;
	}
	prompt_queue_add(&prompt->agent->prompts.notices, &prompt->place);
	*out = prompt;
	return KS_OK;
}

/* Why it is not asked, in static words, with the error in *error; NULL: it may be. */
static const char *hindrance(
	const struct agent *agent, const struct prompt_wish *wish, enum ks_error *error)
{
	const struct prompts *prompts = &agent->prompts;

	*error = KS_REFUSED;
	if (wish->path != NULL && mute_holds(&prompts->mutes, wish->path, uv_now(&agent->loop)))
		return "the person said no to requests that come this way a moment ago";
	*error = KS_BUSY;
	if (wish->kind != PROMPT_NOTICE)
		return prompt_queue_full(&prompts->waiting, wish->path);
	return prompt_queue_has(&prompts->notices, wish->path)
		       ? "a touch is awaited already for a request that came this way"
		       : NULL;
}

enum ks_error prompt_ask(struct agent *agent, const struct prompt_wish *wish, struct prompt **out,
	const char **words)
{
	struct prompt_way_choice way = prompt_where(agent, wish->kind, &wish->asker);
	enum ks_error error;
	struct prompt *prompt;
	bool looking;

	*out = NULL;
	*words = hindrance(agent, wish, &error);
	if (*words != NULL)
		return error;
	looking = prompt_where_look(agent, wish->kind);
	*words = looking ? NULL : way.obstacle;
	if (*words != NULL)
		return KS_PIN_NEEDED;
	*words = "out of memory";
	prompt = prompt_new(agent, wish);
	if (prompt == NULL)
		return KS_NO_MEMORY;
	prompt->looking = looking;
	if (wish->kind == PROMPT_NOTICE)
		return show_notice(prompt, &way, out);
	*out = prompt;
	prompt_queue_add(&agent->prompts.waiting, &prompt->place);
	/* Started from the loop, so that the asker is never answered from within its own call. */
	uv_timer_start(&agent->prompts.starter, on_starter, 0, 0);
	return KS_OK;
}

void prompt_withdraw(struct prompt *prompt)
{
	struct prompts *prompts = &prompt->agent->prompts;

	prompt->withdrawn = true;
	prompt_queue_remove(&prompts->waiting, &prompt->place);
	prompt_queue_remove(&prompts->notices, &prompt->place);
	if (prompt->running) {
		prompt_run_stop(&prompt->run);
		return;
	}
	if (prompts->open == prompt) {
		prompts->open = NULL;
		uv_timer_start(&prompts->starter, on_starter, 0, 0);
	}
	/* One that has run is closed already, and freed when that is done. */
	if (prompt->again)
		prompt->again = false;
	else
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
	while (prompts->notices.first != NULL)
		prompt_withdraw(prompt_at(prompts->notices.first));
	if (prompts->open != NULL)
		prompt_withdraw(prompts->open);
	uv_close((uv_handle_t *)&prompts->starter, NULL);
}
