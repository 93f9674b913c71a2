/*
 * Processes by /proc/PID/stat.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/process.h>

#define STAT_MAX 2048
#define FIELDS_BETWEEN 13

/* The fields after the command's name, which is in parentheses and may hold anything. */
static const char *read_stat(pid_t pid, char text[static STAT_MAX])
{
	char path[64];
	ssize_t got;
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);

	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	got = read(fd, text, STAT_MAX - 1);
	if (got <= 0)
		return NULL;
	text[got] = '\0';
	end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' ? end + 2 : NULL;
}

/* The kernel's own way to put a device into 32 bits. */
static dev_t device_of(unsigned bits)
{
	return makedev((bits >> 8) & 0xfff, (bits & 0xff) | ((bits >> 12) & 0xfff00));
}

/* The next number, after the blank at which *text stands. */
static int64_t take_number(const char **text)
{
	char *end = NULL;
	int64_t number = *text != NULL && **text == ' ' ? strtoll(*text + 1, &end, 10) : 0;

	*text = end != NULL && end != *text + 1 ? end : NULL;
	return number;
}

bool process_read(pid_t pid, struct process *process)
{
	char text[STAT_MAX];
	const char *at = pid > 0 ? read_stat(pid, text) : NULL;

	*process = (struct process){.pid = pid, .foreground = -1};
	if (at == NULL || *at == '\0')
		return false;
	/* proc(5): state, ppid, pgrp, session, tty_nr, tpgid; 13 fields on, starttime. */
	process->state = *at++;
	process->parent = (pid_t)take_number(&at);
	process->group = (pid_t)take_number(&at);
	process->session = (pid_t)take_number(&at);
	process->terminal = device_of((unsigned)take_number(&at));
	process->foreground = (pid_t)take_number(&at);
	for (unsigned skipped = 0; skipped < FIELDS_BETWEEN; skipped++)
		take_number(&at);
	process->start_time = (uint64_t)take_number(&at);
	return at != NULL;
}

bool process_in_foreground(const struct process *process)
{
	return process->terminal != 0 && process->group > 0 &&
	       process->group == process->foreground && process->state != 'Z' &&
	       process->state != 'X';
}

void process_program(pid_t pid, char name[static PROCESS_NAME_MAX])
{
	char path[64];
	char target[PATH_MAX];
	const char *slash;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, PROCESS_NAME_MAX, "%.255s", slash != NULL ? slash + 1 : target);
}
