/*
 * What the kernel tells of a process and its terminal. A process number may be somebody else's a
 * moment later: who keeps one keeps the start time with it and compares.
 */
#ifndef KEYSTILE_PROCESS_H
#define KEYSTILE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_NAME_MAX 256

struct process {
	pid_t pid;
	char state; /* as in proc(5): 'T' is stopped, 'Z' has ended */
	pid_t parent;
	pid_t group;
	pid_t session;
	dev_t terminal;	  /* that controls it; 0: none */
	pid_t foreground; /* group that may read from that terminal; -1: none */
	uint64_t start_time;
};

/* False: no such process, or what /proc says of it can't be understood. */
bool process_read(pid_t pid, struct process *process);
/* It is there, has not ended, and may read from its terminal: its group is in the foreground. */
bool process_in_foreground(const struct process *process);
/* The last part of the path of its executable; "" where that can't be read. */
void process_program(pid_t pid, char name[static PROCESS_NAME_MAX]);

#endif
