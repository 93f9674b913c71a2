/*
 * Which system calls this process may make from now on, by seccomp. What is not allowed fails with
 * EPERM, so that a module goes on without; a call in a foreign ABI (32 bits, x32) ends the process.
 */
#ifndef KEYSTILE_WORKER_SYSCALL_FILTER_H
#define KEYSTILE_WORKER_SYSCALL_FILTER_H

#include <keystile/backend.h>

/* False: this kernel, or a build with sanitizers, has no seccomp. */
bool syscall_filter_possible(void);

/*
 * Holds for the calling thread and all that it starts later, for good. KS_UNSUPPORTED: it is
 * not possible.
 */
KS_MUST_CHECK enum ks_error syscall_filter_enforce(const struct ks_needs *needs);

#endif
