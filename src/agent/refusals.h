/*
 * The last refusals, for `keystile status`: clients are only ever told "no", so this is where a
 * person finds out why, and what to do.
 */
#ifndef AGENT_REFUSALS_H
#define AGENT_REFUSALS_H

#include <sys/types.h>
#include <time.h>

#define REFUSALS_KEPT 16

struct peer;

struct refusal {
	time_t when;
	pid_t pid;	  /* of who asked; 0: not known */
	dev_t terminal;	  /* that controls that process; 0: none */
	char program[64]; /* its executable's name, as the kernel has it */
	char what[160];	  /* the request: key or provider; quoted already */
	char reason[512]; /* quoted where it is foreign */
	char remedy[160]; /* "" where there is none */
};

struct refusals {
	struct refusal last[REFUSALS_KEPT]; /* a ring */
	unsigned long count;		    /* ever */
};

/* Remembers and logs. who and remedy may be NULL. */
void refusals_add(struct refusals *refusals, const struct peer *who, const char *what,
	const char *reason, const char *remedy);

#endif
