/*
 * Everything that a token, its module or its firmware may do wrong, done on request. The
 * backend proper is fake.c; nothing here is an example to follow.
 */
#ifndef KEYSTILE_FAKE_MISBEHAVE_H
#define KEYSTILE_FAKE_MISBEHAVE_H

#include <keystile/backend.h>

#include "options.h"

/*
 * Does the misdeed that was asked for. KS_OK: go on with the work. operation is NULL in close(),
 * where nothing can be cancelled.
 */
KS_MUST_CHECK enum ks_error misbehave(struct ks_operation *operation, unsigned misdeed);

/* A signature that is none: of the right form, or larger than any frame. Replaces what is there. */
KS_MUST_CHECK enum ks_error misbehave_signature(
	unsigned how, enum ks_algorithm algorithm, struct buf *signature);

/* Claims a PIN for this operation: through the library, or behind its back. */
void misbehave_presence(struct ks_operation *operation, unsigned how);

/* A label as hostile tokens have them; static. NULL: use a plain one. */
const char *misbehave_label(unsigned how);

#endif
