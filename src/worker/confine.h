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
 * *notifications is the descriptor by which the agent hears of what is refused, when out->brokered,
 * or else -1. NULL: nobody could hear of it; then the process gets no sockets at all.
 */
KS_MUST_CHECK enum ks_error confine_process(const struct ks_needs *needs, const char *library,
	struct bytes grants, struct frame_confined *out, int *notifications);
/*
 * To be read by the agent, which so sees where foreign code wants to connect to; once the process
 * is not dumpable nobody can open it. Without it nothing foreign gets a connection. True: fd is it.
 */
KS_MUST_CHECK bool confine_open_memory(int fd);
/* Among the grants is that the agent connects for the process. */
bool confine_is_brokered(struct bytes grants);
/* Confines nothing: what confine_process() would tell in a process of the same kind. */
void confine_foresee(struct frame_confined *out);

#endif
