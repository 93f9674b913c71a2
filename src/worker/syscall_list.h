/*
 * System calls by what they are for. Numbers, those that libseccomp does not know on this processor
 * among them, and how many there are.
 */
#ifndef KEYSTILE_WORKER_SYSCALL_LIST_H
#define KEYSTILE_WORKER_SYSCALL_LIST_H

#include <stddef.h>

/* Refused where foreign code runs, together with system_calls_useless. */
extern const int syscall_list_refused[];
extern const size_t syscall_list_refused_count;

/* Refused, too, as a worker is one process that starts no other. */
extern const int syscall_list_alone[];
extern const size_t syscall_list_alone_count;

/* Allowed where nothing else is: KS_SYSCALLS_LISTED. */
extern const int syscall_list_keys[];
extern const size_t syscall_list_keys_count;

/* Allowed besides those where a device or a service is spoken with: KS_SYSCALLS_DEVICE. */
extern const int syscall_list_device[];
extern const size_t syscall_list_device_count;

#endif
