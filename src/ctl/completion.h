/*
 * `keystile completion`: a script for a shell, made from the table of commands, that completes
 * keystile and keystile-agent; and what the scripts ask for while somebody types.
 */
#ifndef KEYSTILE_CTL_COMPLETION_H
#define KEYSTILE_CTL_COMPLETION_H

#include "command.h"

void completion_bash(void);
void completion_fish(void);
void completion_zsh(void);

/* For each command without verbs: its words as they are typed ("policy test"). */
typedef void completion_visit(const char *path, const struct command *command);
void completion_each(completion_visit *visit);

/* The text; of what stands in escaped each letter has a backslash before it, a ' is made fit for a
 * text in these. */
void completion_put(const char *text, const char *escaped);

/* The one that a program without any has. */
extern const struct option_row completion_no_options[];
const struct option_row *completion_options(const struct command *command);

#endif
