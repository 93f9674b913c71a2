/*
 * One signature on its way, and what the files sign*.c that see to it call of each other. sign.c
 * has the order; everybody else knows sign.h alone.
 */
#ifndef AGENT_SIGN_JOURNEY_H
#define AGENT_SIGN_JOURNEY_H

#include "connection.h"
#include "keyring.h"
#include "policy.h"
#include "prompt.h"
#include "prompt_text.h"
#include "subject.h"
#include "worker.h"

struct sign {
	struct request request; /* first: the connection knows only that */
	struct connection *connection;
	struct key *key;
	struct buf data;
	struct subject subject; /* borrows from data */
	enum ks_algorithm algorithm;
	struct policy_verdict verdict;
	unsigned long configured; /* the agent's, at the time of the verdict */
	uint32_t token;		  /* the worker's id, while SIGNING */
	struct worker *worker;
	struct known_hosts_wait *names; /* while what is known of the hosts is read */
	struct unlock_wait *unlock;	/* while the agent is locked */
	struct provider_wait *wait;
	struct insertion_wait *insertion; /* while the token is away */
	bool awaited_token;		  /* once is enough */
	struct operation *operation;
	struct prompt *prompt; /* confirmation, PIN or what unlocks the agent */
	struct prompt *notice;
	const char *not_asked;	/* why the person was not, or gave no answer; static; may be NULL */
	struct held_look *held; /* while it is looked for who has the reader */
	struct touch_pause *pause; /* while a notice stands before the token is asked */
};

/* What a person is asked, or told. */
struct sign_question {
	enum prompt_kind kind;
	const struct prompt_facts *facts;
	uint32_t remember_seconds; /* of a confirmation, as in prompt_wish */
	prompt_answered *answered;
	void (*shown)(void *owner); /* of a notice; or NULL */
};

/* ---- sign.c ---- */

/* Withdraws its prompts, abandons its operation; nobody is answered. */
void sign_free(struct sign *sign);
bool sign_remote(const struct sign *sign);
/*
 * The rules or the token may have become others while the request waited. False: it was refused,
 * and sign is dead.
 */
KS_MUST_CHECK bool sign_still_decided(struct sign *sign);
/* From the first check to the token, or to whatever the request waits for. */
void sign_decide_on(struct sign *sign);
/* Nothing is left to be asked before the token: on to its worker, once that is there. */
void sign_proceed(struct sign *sign);

/* ---- sign_insert.c ---- */

/* The key's token is away: tells the person, and goes on or refuses. */
void sign_await_token(struct sign *sign);
/* It was pulled before it had signed, and may still be waited for. */
bool sign_token_left(struct sign *sign);

/* ---- sign_held.c ---- */

/* Refuses, once it was found out who has the reader. */
void sign_held(struct sign *sign, struct bytes words);
/* For sign_free(). */
void sign_held_abandon(struct sign *sign);

/* ---- sign_unlock.c ---- */

/* The agent is locked: refuses, or waits until the person unlocks it and then decides anew. */
void sign_await_unlock(struct sign *sign);

/* ---- sign_confirm.c ---- */

/* The person said yes a while ago, and that still counts. */
bool sign_remembered(const struct sign *sign);
/* Asks, then goes on or refuses. */
void sign_confirm(struct sign *sign);

/* ---- sign_ask.c ---- */

/* By prompt_path(); NULL: it is local, or there is no memory. The caller frees it. */
char *sign_path(const struct sign *sign);
/* What every prompt about it says; token may be NULL. */
struct prompt_facts sign_prompt_facts(const struct sign *sign, const struct token *token);
/* As prompt_ask(); why nobody is asked is logged and kept in sign->not_asked. */
KS_MUST_CHECK enum ks_error sign_ask(
	struct sign *sign, const struct sign_question *question, struct prompt **out);
/*
 * The token that signs, while its worker says that the key is there; NULL for every other. The key
 * may have got another source meanwhile, whose token must not be named for a PIN that this worker
 * gets. Of a key that may be on any of its worker's tokens it is the one which that names.
 */
struct token *sign_token_in_use(const struct sign *sign, uint32_t token_id);
/* operation_events.ask_pin */
void sign_pin_wanted(
	struct operation *operation, uint32_t token_id, int32_t tries_left, bool retry);

/* operation_events.token_gone */
void sign_token_gone(struct operation *operation);

/* ---- sign_touch.c ---- */

/* operation_events.touch */
void sign_touch_wanted(struct operation *operation, uint32_t token_id, bool awaited);
/* It is not to go on; for sign_free(). */
void sign_touch_end(struct sign *sign);
/*
 * This machine's person needs the token: a remote request that waits for its touch is refused, so
 * that it can't take the one which is meant for this request.
 */
void sign_touch_yield(const struct worker *worker, uint32_t token_id);
/* A remote request is refused, so that a local one gets the token. */
void sign_yield(struct sign *sign);
/* The operation waits for the token that operation->waits_for names. */
void sign_waits(struct operation *operation);

/* ---- sign_result.c ---- */

/* Answers "failure"; sign is dead. remedy: what the person can do, or NULL. */
void sign_refuse(struct sign *sign, const char *reason, const char *remedy);
/* The same for an error; words are foreign text. */
void sign_refuse_error(struct sign *sign, enum ks_error error, struct bytes words);
/* operation_events.done */
void sign_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result);

#endif
