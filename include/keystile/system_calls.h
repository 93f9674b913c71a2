/*
 * The system calls that no process of ours has a use for, whatever it does and whatever it loads:
 * others' memory, ways for programs into the kernel, and what only root may do.
 */
#ifndef KEYSTILE_SYSTEM_CALLS_H
#define KEYSTILE_SYSTEM_CALLS_H

#include <stddef.h>

/* Numbers, those that libseccomp does not know on this processor among them, and how many. */
extern const int system_calls_useless[];
extern const size_t system_calls_useless_count;

#endif
