/*
 * With when-locked = list: signatures of this machine that came while the agent is locked wait
 * here, and the person is asked for the password that unlocks it. One question for all of them: it
 * shows the one that waits longest, and a right password lets all go on, each with its own demands.
 *
 *   (nobody waits) ──▶ ASKED ─┬─ a password ─▶ TRIED ─┬─ right ─▶ all go on
 *                             │                       └─ wrong ─▶ those that were there when it was
 *                             │                                   typed are refused; for the others
 *                             │                                   a new question
 *                             └─ anything else ─▶ all are refused
 *
 * One that is shown and leaves takes the question along; the next one gets its own. When nobody is
 * left for whom a password was typed, it unlocks nothing. When message 23 unlocks the agent the
 * question is withdrawn and all go on.
 */
#ifndef AGENT_UNLOCK_WAIT_H
#define AGENT_UNLOCK_WAIT_H

#include <keystile/error.h>
#include <keystile/prompt.h>

struct agent;
struct attempt;
struct unlock_wait;

enum unlock_end {
	UNLOCK_TYPED,	  /* the person gave the password when asked */
	UNLOCK_ELSEWHERE, /* by message 23 */
	UNLOCK_REFUSED,
};

struct unlock_events {
	/* Asks for the password; unlock_answered() has to follow, later. */
	enum ks_error (*ask)(void *owner);
	/*
	 * Never from within unlock_await(). Where it asked and was not answered, it withdraws that.
	 * refusal: why, static, where it is refused. The wait is dead.
	 */
	void (*ended)(void *owner, enum unlock_end end, const char *refusal);
};

/* Of the agent; zeroed is empty. */
struct unlock_waits {
	struct unlock_wait *first; /* oldest first */
	struct unlock_wait *shown; /* asked, and was not answered yet; or NULL */
	struct attempt *attempt;   /* what was typed and is being tried; or NULL */
};

/* On an error nobody is asked, and ended() is not called. */
KS_MUST_CHECK enum ks_error unlock_await(struct agent *agent, const struct unlock_events *events,
	void *owner, struct unlock_wait **out);
/* The answer to ask(), as prompts give it; fd is taken. */
void unlock_answered(struct agent *agent, enum prompt_status status, int fd);
/* Who asked has gone; its question is withdrawn already. */
void unlock_wait_abandon(struct unlock_wait *wait);
/* The agent is unlocked. */
void unlock_waits_over(struct agent *agent);
/* The configuration is another one, by which it may be that nobody is to be asked. */
void unlock_waits_configured(struct agent *agent);

#endif
