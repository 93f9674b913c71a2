/*
 * Questions to the person: one PIN or confirmation at a time, in the order of prompt_queue.h; touch
 * notices never queue. Each runs in a prompt helper of its own (include/keystile/prompt.h).
 * Anything but an explicit yes is a no.
 */
#ifndef AGENT_PROMPT_H
#define AGENT_PROMPT_H

#include <uv.h>

#include <keystile/prompt.h>

#include "mute.h"
#include "prompt_queue.h"
#include "prompt_run.h"
#include "prompt_where.h"

struct agent;
struct prompt;

/*
 * pin_fd is the reading end of a pipe that holds the PIN when status is PROMPT_YES to a
 * PROMPT_PIN, else -1; it is handed over. The prompt is dead after this call.
 */
typedef void prompt_answered(void *owner, enum prompt_status status, int pin_fd);

/* Zeroed is empty. */
struct prompts {
	struct prompt *open; /* being shown; a PIN or a confirmation */
	struct prompt_queue waiting;
	struct prompt_queue notices; /* being shown, all of them */
	unsigned long asked;
	struct mutes mutes;
	char trouble[PROMPT_RUN_WORDS_MAX]; /* why the last one could not be shown, or "" */
	uv_timer_t starter;		    /* opens the next one from the loop */
};

void prompts_init(struct agent *agent);
/* Withdraws all; the helpers that run are killed. */
void prompts_deinit(struct agent *agent);

struct prompt_wish {
	enum prompt_kind kind;
	bool password;		   /* a PROMPT_PIN for something that is no token's PIN */
	const char *text;	   /* copied */
	const char *trouble;	   /* what went wrong before, one line; copied; NULL: nothing */
	const char *about;	   /* one line for status; copied */
	struct prompt_asker asker; /* of a local request, who may be asked in its terminal */
	uint32_t remember_seconds; /* of a PROMPT_CONFIRM: for how long a yes may count; 0: once */
	const char *path;	   /* of a remote request, see prompt_path.h; copied; NULL: local */
	prompt_answered *answered; /* of a notice: it went by itself, whatever the status */
	/* A notice can be seen now; at most once, before answered(). NULL: of no interest. */
	void (*shown)(void *owner);
	void *owner;
};

/*
 * KS_OK: answered() comes later, never from within. KS_REFUSED: the person has said no to this path
 * a moment ago. KS_PIN_NEEDED: there is no way to ask anybody (words says why, static). KS_BUSY:
 * too many wait, or a notice to this path is shown already.
 */
KS_MUST_CHECK enum ks_error prompt_ask(struct agent *agent, const struct prompt_wish *wish,
	struct prompt **out, const char **words);
/* The asker has gone, or the touch is over: the prompt goes, nobody is called. */
void prompt_withdraw(struct prompt *prompt);
/* The look that prompt_where_look() began is over: see there. */
void prompts_looked(struct agent *agent);
/* Why nobody could be asked now, or NULL when somebody can be; static words. */
const char *prompt_obstacle(const struct agent *agent);
const char *prompt_about(const struct prompt *prompt);
/* Why it failed, foreign text quoted, empty where that is not known; for answered(). */
const char *prompt_words(const struct prompt *prompt);
/* In the order in which they came; NULL: none. */
const struct prompt *prompt_first(const struct prompt_queue *queue);
const struct prompt *prompt_next(const struct prompt *prompt);

#endif
