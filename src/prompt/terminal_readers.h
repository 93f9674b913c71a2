/*
 * Who else may read from a terminal. The kernel stops a process of the terminal's session that
 * reads from the background; so it is the foreground group, and relays that got the terminal from
 * others.
 */
#ifndef KEYSTILE_PROMPT_TERMINAL_READERS_H
#define KEYSTILE_PROMPT_TERMINAL_READERS_H

#include <keystile/process.h>

/* The program that the holder runs can't read from the terminal while it waits for its signature.
 */
bool terminal_holder_waits(const struct process *holder);
/* Another process that may read there; its program's name, "" where that is not known. */
bool terminal_has_reader(const struct process *holder, char name[static PROCESS_NAME_MAX]);

#endif
