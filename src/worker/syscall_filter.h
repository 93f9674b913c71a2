/*
 * Which system calls this process may make from now on, by seccomp. What is not allowed fails with
 * EPERM, so that a module goes on without, or seems not to be there; a call in a foreign ABI (32
 * bits, x32) ends the process. Where foreign code runs the kernel asks somebody (the agent,
 * seccomp_unotify(2)) instead, who so knows what was refused, and makes the connections that are
 * granted.
 */
#ifndef KEYSTILE_WORKER_SYSCALL_FILTER_H
#define KEYSTILE_WORKER_SYSCALL_FILTER_H

#include <keystile/backend.h>

/* False: this kernel, or a build with sanitizers, has no seccomp. */
bool syscall_filter_possible(void);

/* As far as can be known before: somebody may be asked for what is refused. */
bool syscall_filter_can_notify(void);

enum filter_connect {
	FILTER_CONNECT_NEVER,	 /* and no sockets */
	FILTER_CONNECT_BROKERED, /* by somebody else, who hears of it */
	FILTER_CONNECT_FREE,
};

struct syscall_filter {
	const struct ks_needs *needs;
	bool connects;	    /* something is granted that it may connect to */
	bool tcp;	    /* also by TCP */
	bool shared_memory; /* System V's, that somebody else has made */
	/* In: what is wanted. Out: FREE instead of BROKERED where the kernel can't tell anybody. */
	enum filter_connect connect;
	int notifications; /* out: seccomp's descriptor when BROKERED, the caller's; else -1 */
};

/*
 * Holds for the calling thread and all that it starts later, for good. KS_UNSUPPORTED: it is
 * not possible.
 */
KS_MUST_CHECK enum ks_error syscall_filter_enforce(struct syscall_filter *filter);

#endif
