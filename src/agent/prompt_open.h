/*
 * What prompt.c and prompt_open.c share; everybody else knows prompt.h alone.
 */
#ifndef AGENT_PROMPT_OPEN_H
#define AGENT_PROMPT_OPEN_H

#include "prompt.h"

struct prompt {
	struct prompt_place place; /* first; while it waits, and of a notice while it is shown */
	struct agent *agent;
	struct prompt_question question;
	char *about;
	char *path;   /* NULL: local */
	bool looking; /* for a display, without which it is not started */
	bool running;
	bool withdrawn;
	bool seen;  /* a notice */
	bool again; /* another way is tried once its run has closed */
	unsigned attempts;
	uint64_t prompter; /* by which it is shown, or 0 */
	struct prompt_asker asker;
	prompt_answered *answered;
	void (*shown)(void *owner); /* or NULL */
	void *owner;
	struct prompt_run run;
};

/* The place is the first member. */
struct prompt *prompt_at(struct prompt_place *place);
/* One that has no run, or whose run has closed. */
void prompt_free(struct prompt *prompt);

/* Before its first run and each other one. */
void prompt_prepare(struct prompt *prompt);
/* The way is chosen now: where the person is may have changed while it waited. */
KS_MUST_CHECK enum ks_error prompt_start(
	struct prompt *prompt, const struct prompt_way_choice *way);
/* Unless one is open. */
void prompts_open_next(struct agent *agent);

#endif
