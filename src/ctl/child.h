/*
 * Programs of Keystile's own that the command starts: a worker, and the prompt helper. They get a
 * session of their own, so that Ctrl-C in the terminal concerns the command alone: they notice that
 * it has gone.
 */
#ifndef KEYSTILE_CTL_CHILD_H
#define KEYSTILE_CTL_CHILD_H

#include <sys/types.h>

#include <keystile/backend.h>

extern const char child_folder[]; /* where they are: that of the build tree, or the installed one */
extern const char child_config_system[]; /* keystile.conf(5) for every user */

/*
 * Worker of a backend; fd becomes its socket. configured is what keystile.conf(5) says of its
 * environment, ended by NULL; what this process has of KEYSTILE_... goes before. 0: it could not be
 * started, which was said.
 */
pid_t child_start_worker(const struct ks_needs *needs, char *const *configured, int fd);
/* Prompt helper: question on its standard input, PIN into pin_fd, asked in terminal_fd. */
pid_t child_start_prompt(int question_fd, int pin_fd, int terminal_fd);

/* Waits for the end; after patience_ms it is killed. The exit status, or -1. */
int child_end(pid_t pid, int patience_ms);

#endif
