/*
 * Runs the library in a process of its own for the length of one call. The libraries can't be
 * cancelled: with nobody to touch it, one waits as long as its authenticator lets it, perhaps
 * for ever. A process can be ended, and the worker goes on with the keys that it was given. It
 * also keeps the library from the agent's socket and from the other keys.
 */
#ifndef KEYSTILE_MIDDLEWARE_APART_H
#define KEYSTILE_MIDDLEWARE_APART_H

#include <keystile/backend.h>

#define APART_ANSWER_MAX ((size_t)4096)

/*
 * In the other process: puts its answer. secret is a pipe to read what must not lie in
 * ordinary memory, or -1; secrets of the worker are zeroes here (keystile/secret.h). The worker's
 * log can't be reached, nor ks_explain(). Nothing needs to be freed.
 */
typedef void apart_function(const void *argument, int secret, struct buf *answer);

/*
 * Puts what the function answered. KS_CANCELLED when the operation was over first;
 * KS_DEVICE_FAILED, with words, when there was no answer: a crash.
 */
KS_MUST_CHECK enum ks_error apart_run(struct ks_operation *operation, apart_function *function,
	const void *argument, int secret, struct buf *answer);

/*
 * No process is made between the two. It would inherit what another thread has locked just then in
 * OpenSSL, and wait for ever where its library wants that too. Short work only.
 */
void apart_pause(void);
void apart_resume(void);

#endif
