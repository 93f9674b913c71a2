/*
 * The system calls of a process that speaks with a device or a service: KS_SYSCALLS_DEVICE.
 */
#ifndef KEYSTILE_WORKER_SYSCALL_LIST_H
#define KEYSTILE_WORKER_SYSCALL_LIST_H

#include <stddef.h>

/*
 * Numbers, those that libseccomp does not know on this processor among them, and how many there
 * are. What it takes to keep keys in memory is not repeated here.
 */
extern const int syscall_list_device[];
extern const size_t syscall_list_device_count;

#endif
