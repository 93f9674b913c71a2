/*
 * By what the person can be asked: a pure function of the configuration and of what is known of
 * their session (surroundings.h); its test is a table.
 */
#ifndef AGENT_PROMPT_WAY_H
#define AGENT_PROMPT_WAY_H

#include <keystile/prompt.h>

#include "config.h"

struct prompt_way_facts {
	const struct config *config;
	char *const *environment; /* ended by NULL */
	bool pinentry_installed;  /* prompt_way_pinentry() can be run */
	bool prompter;		  /* one waits in the foreground of its terminal */
	bool asker; /* a process of this machine asks that is in the foreground of a terminal */
};

struct prompt_way_choice {
	const char *obstacle; /* why nobody can be asked, static; NULL: somebody can */
	enum prompt_way way;
	bool notify;
	bool wants_display;   /* it is shown on one, or would be if one were known */
	const char *program;  /* borrowed from the facts; empty: only by notification */
	const char *terminal; /* likewise; empty: none */
};

struct prompt_way_choice prompt_way_choose(
	const struct prompt_way_facts *facts, enum prompt_kind kind);

/* As the configuration calls it, static. */
const char *prompt_way_name(enum prompt_way way);
/* The pinentry that would be used. */
const char *prompt_way_pinentry(const struct config *config);

#endif
