/*
 * What a program takes on its command line, described once: getopt's tables, --help and the
 * shells' completions are made from rows like these.
 */
#ifndef KEYSTILE_OPTION_ROW_H
#define KEYSTILE_OPTION_ROW_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* How a shell completes what stands for a value. */
enum value_kind {
	VALUE_TEXT,    /* not at all */
	VALUE_FILE,    /* by names of files */
	VALUE_CHOICE,  /* by choices, parted by blanks */
	VALUE_ASKED,   /* by what `keystile completion CHOICES` prints */
	VALUE_HOST,    /* by the hosts that the shell knows */
	VALUE_COMMAND, /* by commands */
};

struct option_value {
	const char *name; /* in help: "FILE" */
	enum value_kind kind;
	const char *choices; /* what kind says; otherwise NULL */
};

struct option_row {
	const char *name; /* of --name; NULL: it has only a letter */
	char letter;	  /* 0: it has only a name */
	bool needed;
	unsigned apart;			  /* two with a bit in common exclude each other */
	const struct option_value *value; /* NULL: it takes none */
	const char *purpose;
};

#define OPTION_APART_SHOWN 1U /* of those that exclude each other, what help shows as such */
#define OPTION_ROWS_MAX 24

/* What getopt_long() returns for a row without a letter: this and the row's place. */
#define OPTION_NAMED 0x100

/* getopt's two tables of rows that end with an empty one. */
struct option_tables {
	char letters[2 * OPTION_ROWS_MAX + 3];
	struct option names[OPTION_ROWS_MAX + 1];
};

/* start: what the letters begin with, "+" or ":", see getopt(3). */
void option_rows_describe(
	const struct option_row *rows, const char *start, struct option_tables *out);

/* False for the empty one at the end. */
bool option_row_is(const struct option_row *row);
/* The place of the row that getopt_long() returned; -1: none. */
int option_row_place(const struct option_row *rows, int returned);

#define OPTION_NAME_MAX 40

/* "-n" or "--json"; where both are there, the name. Returns out. */
const char *option_row_name(const struct option_row *row, char out[static OPTION_NAME_MAX]);
/* That, with its value: "-n LINES". */
void option_row_print(const struct option_row *row, FILE *out);
/* All with their purposes, one a line. */
void option_rows_print(const struct option_row *rows, FILE *out);

/* Those of keystile-agent, which keystile completes as well. */
extern const struct option_row agent_option_rows[];

#endif
