/*
 * The life of an operation: admitted by the thread that reads, run by the same thread
 * once the next one reads, ended by one FRAME_DONE. Between, other threads may cancel or answer.
 */
#ifndef KEYSTILE_WORKER_OPERATION_H
#define KEYSTILE_WORKER_OPERATION_H

#include "worker.h"

void operation_init(struct ks_operation *operation, struct ks_worker *worker);

/* True for the frames that begin an operation. */
bool operation_begins(const struct frame *frame);
/*
 * Registers the operation whose frame it has read, so that what is read next finds it.
 * NULL, or what the agent did wrong: too many at once, out of turn, an id in use.
 */
const char *operation_admit(struct ks_operation *operation);
/* Calls the backend and tells the agent how it ended. */
void operation_run(struct ks_operation *operation);

/*
 * Acts on FRAME_CANCEL, FRAME_PIN_ANSWER or FRAME_TOUCH_ANSWER, whose descriptor it takes. What
 * crossed the end of its operation is dropped. NULL, or what the agent did wrong.
 */
const char *operation_take_answer(struct ks_worker *worker, struct incoming *incoming);
void operation_cancel_all(struct ks_worker *worker);

/*
 * Reads a PIN of 1 to KS_PIN_MAX bytes without NUL; KS_BAD_INPUT for anything else. *pin is
 * empty after a failure.
 */
KS_MUST_CHECK enum ks_error operation_read_pin(int fd, struct secret *pin);

/* The operation was cancelled or its deadline has passed. */
bool operation_is_over(const struct ks_operation *operation);

#endif
