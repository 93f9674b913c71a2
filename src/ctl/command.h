/*
 * The commands of keystile: one table, from which help, the parsing of the command line and the
 * shells' completions are made.
 */
#ifndef KEYSTILE_CTL_COMMAND_H
#define KEYSTILE_CTL_COMMAND_H

#include <jansson.h>

#include <keystile/option_row.h>

/* What keystile ends with, but for doctor, which has its own. */
enum { EXIT_FINE = 0, EXIT_NO_AGENT = 1, EXIT_USAGE = 2 };

#define COMMAND_WORDS_MAX 2

/* A word that is no option; one without a value ends them. */
struct command_word {
	const struct option_value *value;
	bool may_lack;
	bool many; /* the last: any number of them */
};

struct call;

struct command {
	const char *name;
	const char *purpose;
	const struct option_row *options; /* NULL: none */
	const struct command_word words[COMMAND_WORDS_MAX + 1];
	const struct command *verbs;	     /* those that follow it; NULL: it is one itself */
	int (*run)(const struct call *call); /* the exit status */
	int misused; /* ends with this for a wrong command line; 0: EXIT_USAGE */
};

/* A command line that was understood. */
struct call {
	const struct command *parent; /* where command is one of its verbs; or NULL */
	const struct command *command;
	const char *given[OPTION_ROWS_MAX]; /* in the order of the options: "" without a value */
	char **words;
	int word_count;
};

/* Ended by one without a name. */
extern const struct command commands[];
extern const struct command tpm_verbs[];

/* What was given for the option of that name or letter; NULL: it was not. */
const char *call_option(const struct call *call, const char *name);
bool call_has(const struct call *call, const char *name);
/* NULL: there are fewer. */
const char *call_word(const struct call *call, int place);

/* command_line.c: does what the words after "keystile" say; the exit status. */
int command_run(int argc, char **argv);
/* How it is used, on standard error; the exit status. */
int command_misused(const struct call *call);

/* command_help.c: "usage: keystile status [--json]"; for one with verbs, each. */
void command_print_usage(const struct command *parent, const struct command *command, FILE *out);
/* That, what it is for, and its options. */
void command_print_help(const struct command *parent, const struct command *command, FILE *out);
/* All commands, a line each. */
void command_print_all(FILE *out);

/* What was printed must have arrived: EXIT_FINE, or EXIT_NO_AGENT and it was said. */
int command_finish(void);
void command_print_json(const json_t *answer);

#endif
