/*
 * The last refusals, for `keystile status`: clients are only ever told "no", so this is where a
 * person finds out why, and what to do.
 */
#ifndef AGENT_REFUSALS_H
#define AGENT_REFUSALS_H

#include <time.h>

#define REFUSALS_KEPT 16

struct refusal {
	time_t when;
	char what[160];	  /* the request: key or provider; quoted already */
	char reason[512]; /* quoted where it is foreign */
	char remedy[160]; /* "" where there is none */
};

struct refusals {
	struct refusal last[REFUSALS_KEPT]; /* a ring */
	unsigned long count;		    /* ever */
};

/* Remembers and logs. remedy may be NULL. */
void refusals_add(
	struct refusals *refusals, const char *what, const char *reason, const char *remedy);

#endif
