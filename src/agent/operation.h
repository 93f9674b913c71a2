/*
 * The operations of a worker: waiting for room, running, asking the person, ended. Split from
 * worker.c, which has the process; worker.h has what others may call. operation.c has their order
 * and deadlines, operation_frame.c what is said about one that runs.
 */
#ifndef AGENT_OPERATION_H
#define AGENT_OPERATION_H

#include "worker.h"

/* How often deadlines are looked at, and so how exact they are. */
#define OPERATION_CLOCK_MS 250
/* What a worker gets beyond an operation's time to say that it was too long. */
#define OPERATION_GRACE_MS 2000
/* PINs that one operation may ask for: three tries and a change of mind. */
#define OPERATION_PINS_MAX 4
/* And touches: one for each PIN, with and without it, and as many again. */
#define OPERATION_TOUCHES_MAX 16

/* Takes it out of its worker's list, and tells its owner. */
void operation_end(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result);
/* Tells the worker, once, that the result is of no use any more. */
void operation_cancel(struct operation *operation);
/* A frame that names an operation. KS_BAD_INPUT: the worker has lost its mind. */
KS_MUST_CHECK enum ks_error operation_handle(struct worker *worker, const struct frame *frame);
/* Sends what waits while there is room. */
void operations_continue(struct worker *worker);
/* Ends all; their owners hear of it. */
void operations_drop(struct worker *worker, enum ks_error error, const char *words);
void operations_check_deadlines(struct worker *worker);

#endif
