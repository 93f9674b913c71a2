/*
 * What a filter is made of: lists of calls, and rules for those calls of which only some are
 * refused. clone3() hides its flags in memory, where a filter can't look: it seems not to be there,
 * and the C library uses clone() instead.
 */
#ifndef KEYSTILE_WORKER_SYSCALL_RULES_H
#define KEYSTILE_WORKER_SYSCALL_RULES_H

#include <stdint.h>

#include <seccomp.h>

#include "syscall_filter.h"

/* The first error stays, as libseccomp's negative number; 0 is none. */
struct syscall_rules {
	scmp_filter_ctx context; /* the caller's */
	uint32_t refuse;	 /* the action for what is refused */
	int error;
};

/* For a filter that allows the rest: foreign code runs. */
void syscall_rules_refuse(struct syscall_rules *rules, const struct syscall_filter *filter);
/* For a filter that refuses the rest: keys are kept and used by our own code. */
void syscall_rules_allow_keys(struct syscall_rules *rules);
/*
 * For a filter without which calls are not there, so that libraries fall back on those that are.
 * What syscall_rules_refuse() refuses is let through to it: it tells somebody.
 */
void syscall_rules_allow_device(struct syscall_rules *rules);

#endif
