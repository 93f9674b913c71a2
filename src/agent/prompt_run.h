/*
 * One run of the prompt helper (include/keystile/prompt.h), from its start to its end. The PIN goes
 * from the helper into a pipe whose other end the agent passes on unread.
 */
#ifndef AGENT_PROMPT_RUN_H
#define AGENT_PROMPT_RUN_H

#include <uv.h>

#include <keystile/prompt.h>
#include <keystile/text.h>

struct agent;

#define PROMPT_RUN_WORDS_MAX TEXT_WORDS_MAX

/* Embedded in what it is for; set up by prompt_run_init(). */
struct prompt_run {
	struct agent *agent;
	uv_process_t process;
	uv_timer_t timer;
	uv_poll_t watch; /* of shown_fd */
	unsigned handles;
	int pin_fd;	 /* reading end, for ended() to take; -1: none */
	int shown_fd;	 /* reading end of what a notice has instead of that; -1: none */
	int words_fd;	 /* reading end of the helper's standard error */
	int terminal_fd; /* of a prompter; the starter's; -1: none */
	char words[PROMPT_RUN_WORDS_MAX]; /* what it said there, quoted; for ended() */
	/* A notice can be seen now. Optional; at most once, before ended(). */
	void (*shown)(struct prompt_run *run);
	/* The helper has ended, so what it had to say is in its pipes. The run closes after it. */
	void (*ended)(struct prompt_run *run, enum prompt_status status);
	/* The last call: it may be freed. */
	void (*closed)(struct prompt_run *run);
};

void prompt_run_init(struct prompt_run *run, struct agent *agent);
/* After an error nothing runs, and it has to be closed. */
KS_MUST_CHECK enum ks_error prompt_run_start(
	struct prompt_run *run, const struct prompt_question *question);
/* One that runs: it ends soon, and ended() comes then. */
void prompt_run_stop(struct prompt_run *run);
/* One that does not run. */
void prompt_run_close(struct prompt_run *run);

#endif
