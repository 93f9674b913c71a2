/*
 * Where the person can be asked: the display, bus, terminal and language of their session, as the
 * agent last heard of them. What prompt programs inherit is the agent's own environment with these
 * in the place of what it was started with. Pure but for memory; its test is a table.
 *
 * What is taken is a list of names, each value of a shape that can only name a display, a bus, a
 * terminal or a language: never a program, a library or a folder of such.
 */
#ifndef AGENT_SURROUNDINGS_H
#define AGENT_SURROUNDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <keystile/error.h>

/* They come and go together: half of one session and half of another name nothing. */
enum surroundings_part {
	SURROUNDINGS_DISPLAY,
	SURROUNDINGS_BUS,
	SURROUNDINGS_TERMINAL,
	SURROUNDINGS_LANGUAGE,
};
#define SURROUNDINGS_PARTS 4

/* In the order in which they are believed. */
enum surroundings_source {
	SURROUNDINGS_UPDATE,  /* keystile env --update */
	SURROUNDINGS_START,   /* the environment that the agent was started with */
	SURROUNDINGS_MANAGER, /* the environment of the user's service manager */
	SURROUNDINGS_NOBODY,
};

#define SURROUNDINGS_VARIABLES 12
#define SURROUNDINGS_VALUE_MAX 1024

/* Values by the number of the variable, each "NAME=value" or NULL; owned. */
struct surroundings_values {
	char *entries[SURROUNDINGS_VARIABLES];
};

/* Zeroed with start set is one that knows no more than the start. */
struct surroundings {
	char **start; /* borrowed, ended by NULL */
	struct surroundings_values updated;
	struct surroundings_values managed;
	char **merged; /* NULL: start says all; entries are borrowed from the others */
};

/* The number of a variable that may be taken, -1: none. */
int surroundings_variable(const char *name);
const char *surroundings_name(int variable);
enum surroundings_part surroundings_part_of(int variable);
/* Why a value is not taken, static words; NULL: it is. */
const char *surroundings_flaw(int variable, const char *value);
/* Whether the values say anything of the part: XAUTHORITY alone names no display. */
bool surroundings_has(const struct surroundings_values *values, enum surroundings_part part);

/* Whatever stood there for the variable goes. */
KS_MUST_CHECK enum ks_error surroundings_set(
	struct surroundings_values *values, int variable, const char *value);
void surroundings_drop(struct surroundings_values *values, int variable);
void surroundings_values_deinit(struct surroundings_values *values);

/*
 * Each part that fresh says anything of takes the place of what was heard of it before; parts it
 * does not speak of stay. fresh is emptied. Out of memory: nothing has changed.
 */
KS_MUST_CHECK enum ks_error surroundings_update(
	struct surroundings *surroundings, struct surroundings_values *fresh);
/* The same for what the service manager says, all of which is replaced. */
KS_MUST_CHECK enum ks_error surroundings_manage(
	struct surroundings *surroundings, struct surroundings_values *fresh);
void surroundings_deinit(struct surroundings *surroundings);

/* For prompt programs: borrowed until the next change, ended by NULL. */
char **surroundings_environment(const struct surroundings *surroundings);
/* Where what is known of the part comes from. */
enum surroundings_source surroundings_source(
	const struct surroundings *surroundings, enum surroundings_part part);
/* NULL where it is not set or empty. */
const char *surroundings_value(const struct surroundings *surroundings, int variable);

#endif
