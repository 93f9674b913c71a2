/*
 * Requests that wait until a token is there again whose keys stayed listed while it was away
 * ("absent = list" in keystile.conf(5)).
 */
#ifndef AGENT_INSERTION_H
#define AGENT_INSERTION_H

#include <stdbool.h>

struct agent;
struct insertion_wait;
struct key;

/* Called once: a token that holds the key is there, or none will come any more. */
typedef void insertion_ended(void *owner, bool there);

/* NULL: out of memory. The key has to live as long as this. */
struct insertion_wait *insertion_await(
	struct agent *agent, const struct key *key, insertion_ended *ended, void *owner);
void insertion_abandon(struct insertion_wait *wait);
/* Tokens came or went. */
void insertion_look(struct agent *agent);

#endif
