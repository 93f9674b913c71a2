/*
 * Where the agent is that the person means.
 */
#ifndef KEYSTILE_CTL_FIND_H
#define KEYSTILE_CTL_FIND_H

#include "control.h"

/* Fills path, fd, pid and auth of control. Any error has been said. */
KS_MUST_CHECK enum ks_error find_agent(struct control *control);

/* The program of a process, as far as the system tells ("/usr/bin/ssh-agent (pid 12)"); the caller
 * frees it. */
char *find_program(pid_t pid);

#endif
