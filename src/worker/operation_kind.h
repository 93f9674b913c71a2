/*
 * The kinds of operations: which frames begin one, when they may, and what they call.
 */
#ifndef KEYSTILE_WORKER_OPERATION_KIND_H
#define KEYSTILE_WORKER_OPERATION_KIND_H

#include "worker.h"

struct operation_kind {
	enum ks_error (*run)(struct ks_operation *operation, struct buf *result);
	enum provider_state before; /* the provider must be there, neither before nor beyond */
	bool alone;
};

/* NULL: such a frame begins no operation. */
const struct operation_kind *operation_kind(enum frame_type type);
/* A copy of a frame's text, which holds no NUL; NULL when out of memory. */
char *operation_text(struct bytes text);

#endif
