/*
 * In which order questions that wait come to the person, and how many may: local ones first, then
 * one of each remote path in turn. Pure, so that floods can be tried in a test.
 */
#ifndef AGENT_PROMPT_QUEUE_H
#define AGENT_PROMPT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define PROMPT_QUEUE_MAX 64
#define PROMPT_QUEUE_REMOTE_MAX (PROMPT_QUEUE_MAX / 2)
/* Of one remote path, which so leaves as many places to all others. */
#define PROMPT_QUEUE_PATH_MAX (PROMPT_QUEUE_REMOTE_MAX / 2)

/* Embedded in what waits. */
struct prompt_place {
	struct prompt_place *next;
	const char *path; /* NULL: local; the owner keeps it while it waits */
	uint64_t round;	  /* in which it is its path's turn; 0: local */
};

/* Zeroed is empty. */
struct prompt_queue {
	struct prompt_place *first; /* in the order in which they came */
	uint64_t round;		    /* of the remote one that was taken last */
};

/* Why there is no place for another one of this path (NULL: local); NULL: there is. Static. */
const char *prompt_queue_full(const struct prompt_queue *queue, const char *path);
/* One of this path waits; never so of local ones (NULL). */
bool prompt_queue_has(const struct prompt_queue *queue, const char *path);
void prompt_queue_add(struct prompt_queue *queue, struct prompt_place *place);
/* The next one, which does not wait any more; NULL: none waits. */
struct prompt_place *prompt_queue_take(struct prompt_queue *queue);
void prompt_queue_remove(struct prompt_queue *queue, struct prompt_place *place);

#endif
