/*
 * Has the library called by a program of its own, keystile-library-call, which is run for the
 * length of one call. The libraries can't be cancelled: with nobody to touch it, one waits as long
 * as its authenticator lets it, perhaps for ever. A process can be ended, and the worker goes on
 * with the keys that it was given. It also keeps the library from the agent's socket and from the
 * other keys.
 */
#ifndef KEYSTILE_MIDDLEWARE_APART_H
#define KEYSTILE_MIDDLEWARE_APART_H

#include "library_call.h"

/*
 * Puts what library.h answered. secret is a pipe to read what must not lie in ordinary memory, or
 * -1; it stays the caller's. KS_CANCELLED when the operation was over first; KS_DEVICE_FAILED, with
 * words, when there was no answer: a crash, or a library that does not come to the end of being
 * loaded. call->worker and call->grants are filled in here.
 */
KS_MUST_CHECK enum ks_error apart_call(struct ks_operation *operation,
	const struct library_call *call, int secret, struct buf *answer);

#endif
