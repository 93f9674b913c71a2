/*
 * The commands of keystile: one table, from which help, what a wrong command line is told, and the
 * choice are made.
 */
#ifndef KEYSTILE_CTL_COMMAND_H
#define KEYSTILE_CTL_COMMAND_H

#include <jansson.h>

/* What keystile ends with, but for doctor, which has its own. */
enum { EXIT_FINE = 0, EXIT_NO_AGENT = 1, EXIT_USAGE = 2 };

struct command {
	const char *name;
	const char *usage; /* lines, each "keystile NAME ..." or what continues the one before */
	int (*run)(int argc, char **argv); /* argv[0] is the name; the exit status */
};

/* Ended by one without a name. */
extern const struct command commands[];

/* NULL where there is none of that name. */
const struct command *command_find(const char *name);
/* Says how it is used on standard error: EXIT_USAGE. */
int command_misused(const char *name);
/* What was printed must have arrived: EXIT_FINE, or EXIT_NO_AGENT and it was said. */
int command_finish(void);
void command_print_json(const json_t *answer);

#endif
