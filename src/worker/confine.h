/*
 * What a process may touch once foreign code runs in it: the files that its backend's needs, the
 * library and the configuration name (Landlock), and the system calls of its kind (seccomp). In a
 * worker it comes between locate() and open(), on the one thread that there is by then.
 */
#ifndef KEYSTILE_WORKER_CONFINE_H
#define KEYSTILE_WORKER_CONFINE_H

#include <keystile/frame.h>

/*
 * library is the path that will be loaded, NULL where there is none; grants are the
 * configuration's, as in FRAME_OPEN. What the kernel lacks is no error, *out tells of it. After any
 * error the process must not go on.
 */
KS_MUST_CHECK enum ks_error confine_process(const struct ks_needs *needs, const char *library,
	struct bytes grants, struct frame_confined *out);
/* Confines nothing: what confine_process() would tell in a process of the same kind. */
void confine_foresee(const struct ks_needs *needs, struct frame_confined *out);

#endif
