/*
 * One prompt from its turn to its answer: the way that is chosen, what runs it (prompt_run.h), what
 * an answer means, and which is next (prompt_queue.h).
 */
#include "prompt_open.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/log.h>

#include "agent.h"
#include "prompter.h"

/* Prompters that turn out to be gone are passed over, but not forever. */
#define ATTEMPTS_MAX (2 * PROMPTERS_MAX)

struct prompt *prompt_at(struct prompt_place *place)
{
	return (struct prompt *)place;
}

static struct prompt *prompt_of(struct prompt_run *run)
{
	return (struct prompt *)((char *)run - offsetof(struct prompt, run));
}

static void begin(struct prompt *prompt);

static void on_ended(struct prompt_run *run, enum prompt_status status);

static void on_closed(struct prompt_run *run);

static void on_shown(struct prompt_run *run);

void prompt_prepare(struct prompt *prompt)
{
	prompt_run_init(&prompt->run, prompt->agent);
	prompt->run.shown = on_shown;
	prompt->run.ended = on_ended;
	prompt->run.closed = on_closed;
}

static void on_closed(struct prompt_run *run)
{
	struct prompt *prompt = prompt_of(run);
	struct agent *agent = prompt->agent;

	if (!prompt->again) {
		prompt_free(prompt);
		return;
	}
	prompt->again = false;
	prompt_prepare(prompt);
	begin(prompt);
	prompts_open_next(agent);
}

static void on_shown(struct prompt_run *run)
{
	struct prompt *prompt = prompt_of(run);

	prompt->seen = true;
	if (!prompt->withdrawn && prompt->shown != NULL)
		prompt->shown(prompt->owner);
}

/* ---- The answer ---- */

static const char *outcome(const struct prompt *prompt, enum prompt_status status)
{
	static const char *const words[] = {
		[PROMPT_YES] = "answered",
		[PROMPT_NO] = "refused",
		[PROMPT_NOBODY] = "not asked",
		[PROMPT_FAILED] = "failed",
		[PROMPT_YES_REMEMBER] = "answered",
	};

	return prompt->withdrawn ? "withdrawn" : words[status];
}

static void note_trouble(struct prompt *prompt, enum prompt_status status)
{
	struct prompts *prompts = &prompt->agent->prompts;

	if (prompt->withdrawn)
		return;
	if (status == PROMPT_NOBODY || status == PROMPT_FAILED)
		snprintf(prompts->trouble, sizeof(prompts->trouble), "%s", prompt->run.words);
	else
		prompts->trouble[0] = '\0';
}

/* What was not offered is no answer. */
static enum prompt_status checked(struct prompt *prompt, enum prompt_status status)
{
	if (status != PROMPT_YES_REMEMBER || prompt_question_offers(&prompt->question))
		return status;
	snprintf(prompt->run.words, sizeof(prompt->run.words),
		"the prompt helper answered what was not asked");
	log_warning("the prompt failed: %s", prompt->run.words);
	return PROMPT_FAILED;
}

/* True: that prompter is of no use, and another way is tried. */
static bool tries_again(struct prompt *prompt, enum prompt_status status)
{
	if (prompt->prompter == 0)
		return false;
	prompter_tell(prompt->agent, prompt->prompter, "over", outcome(prompt, status));
	if (status == PROMPT_NOBODY && !prompt->withdrawn) {
		prompter_drop(prompt->agent, prompt->prompter, prompt->run.words);
		/* What was seen and went is not seen as long as it has to be. */
		prompt->again = !prompt->seen && prompt->attempts < ATTEMPTS_MAX;
	}
	prompt->prompter = 0;
	return prompt->again;
}

static void learn(const struct prompt *prompt, enum prompt_status status)
{
	struct mutes *mutes = &prompt->agent->prompts.mutes;

	if (prompt->path == NULL)
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

	prompt->running = false;
	status = checked(prompt, status);
	note_trouble(prompt, status);
	if (tries_again(prompt, status))
		return;
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
	prompts_open_next(agent);
}

/* ---- The next one ---- */

/* Whose terminal it is shown in, if it is. */
static void choose_holder(struct prompt *prompt)
{
	struct prompt_question *question = &prompt->question;
	const struct prompter *prompter = NULL;

	question->holder = 0;
	question->holder_start = 0;
	if (question->way == PROMPT_BY_ASKER) {
		question->holder = (uint32_t)prompt->asker.pid;
		question->holder_start = prompt->asker.start_time;
	}
	if (question->way == PROMPT_BY_PROMPTER)
		prompter = prompter_ready(prompt->agent);
	if (prompter == NULL)
		return;
	question->holder = (uint32_t)prompter->pid;
	question->holder_start = prompter->start_time;
	prompt->run.terminal_fd = prompter->fd;
	prompt->prompter = prompter->id;
	prompter_tell(prompt->agent, prompter->id, "question", prompt->about);
}

enum ks_error prompt_start(struct prompt *prompt, const struct prompt_way_choice *way)
{
	struct prompt_question *question = &prompt->question;
	enum ks_error error = KS_NO_MEMORY;

	prompt->attempts++;
	question->way = way->way;
	question->notify = way->notify;
	choose_holder(prompt);
	free(question->program);
	free(question->terminal);
	question->program = strdup(way->program);
	question->terminal = strdup(way->terminal);
	if (question->program != NULL && question->terminal != NULL)
		error = prompt_run_start(&prompt->run, question);
	if (error != KS_OK && prompt->prompter != 0)
		prompter_tell(prompt->agent, prompt->prompter, "over", "failed");
	prompt->running = error == KS_OK;
	prompt->agent->prompts.asked += prompt->running;
	return error;
}

/* One that is open or a notice, and does not run. */
static void give_up(struct prompt *prompt, enum prompt_status status)
{
	struct prompts *prompts = &prompt->agent->prompts;

	if (prompts->open == prompt)
		prompts->open = NULL;
	else
		prompt_queue_remove(&prompts->notices, &prompt->place);
	prompt->answered(prompt->owner, status, -1);
	prompt_run_close(&prompt->run);
}

static void begin(struct prompt *prompt)
{
	struct prompt_way_choice way =
		prompt_where(prompt->agent, prompt->question.kind, &prompt->asker);

	if (way.obstacle != NULL) {
		log_warning("the person was not asked: %s", way.obstacle);
		snprintf(prompt->run.words, sizeof(prompt->run.words), "%s", way.obstacle);
		give_up(prompt, PROMPT_NOBODY);
	} else if (prompt_start(prompt, &way) != KS_OK) {
		give_up(prompt, PROMPT_FAILED);
	}
}

/* The person said no on this way while it waited. */
static bool is_muted(const struct prompt *prompt)
{
	const struct agent *agent = prompt->agent;

	return prompt->path != NULL &&
	       mute_holds(&agent->prompts.mutes, prompt->path, uv_now(&agent->loop));
}

void prompts_open_next(struct agent *agent)
{
	struct prompts *prompts = &agent->prompts;

	while (prompts->open == NULL && prompts->waiting.first != NULL) {
		struct prompt *prompt = prompt_at(prompt_queue_take(&prompts->waiting));

		prompts->open = prompt;
		if (is_muted(prompt))
			give_up(prompt, PROMPT_NO);
		else if (!prompt->looking)
			begin(prompt);
	}
}

static struct prompt *looking_notice(const struct prompts *prompts)
{
	struct prompt_place *place = prompts->notices.first;

	while (place != NULL && !prompt_at(place)->looking)
		place = place->next;
	return prompt_at(place);
}

void prompts_looked(struct agent *agent)
{
	struct prompts *prompts = &agent->prompts;
	struct prompt *prompt = prompts->open;

	for (struct prompt_place *place = prompts->waiting.first; place != NULL;
		place = place->next)
		prompt_at(place)->looking = false;
	if (prompt != NULL && prompt->looking) {
		prompt->looking = false;
		begin(prompt);
	}
	while ((prompt = looking_notice(prompts)) != NULL) {
		prompt->looking = false;
		begin(prompt);
	}
	prompts_open_next(agent);
}
