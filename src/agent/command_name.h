/*
 * The names of commands that keystile.conf(5) grants, "NAME=command", and the addresses that stand
 * for them. Pure functions.
 */
#ifndef AGENT_COMMAND_NAME_H
#define AGENT_COMMAND_NAME_H

#include <stddef.h>

#define COMMAND_NAME_MAX 32
#define COMMANDS_MAX 8 /* that are granted to one backend */

/* How long NAME is, 0 where there is none. */
size_t command_name_len(const char *configured);
/* As broker_address.h has them; a path at which there is no file. NULL: no memory. */
char *command_address(const char *configured);

#endif
