/*
 * Words that a shell reads as they are.
 */
#ifndef KEYSTILE_CTL_SHELL_H
#define KEYSTILE_CTL_SHELL_H

#include "env.h"

/* One word for that shell, in quotes where it needs them; NULL when out of memory; the caller
 * frees it. */
char *shell_quote(enum env_shell shell, const char *word);

#endif
