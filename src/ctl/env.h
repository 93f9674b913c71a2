/*
 * keystile env: what a shell has to set so that programs find the agent, what the agent is told of
 * the session that this is, and how it would ask the person. See keystile(1).
 */
#ifndef KEYSTILE_CTL_ENV_H
#define KEYSTILE_CTL_ENV_H

#include <stdbool.h>

#include <jansson.h>

#include "command.h"
#include "control.h"
#include "page.h"

enum env_shell { ENV_SH, ENV_CSH, ENV_FISH };

struct env_wish {
	enum env_shell shell;
	bool update; /* otherwise print what to set */
	bool as_json;
};

/* The shell, where no option says it, by SHELL. */
struct env_wish env_wish_of(const struct call *call);

/* What is to be set, as an object of texts, by what the agent says in its status; NULL: said. */
json_t *env_settings(const json_t *status, const struct control *control);
void env_settings_print(enum env_shell shell, const json_t *settings);

/* Tells the agent what this session has; NULL when out of memory. */
json_t *env_update_request(void);
void env_update_print(struct page *page, const json_t *answer);

/* How the person would be asked ("asking" in status and in the answer to an update). */
void env_asking_print(struct page *page, const json_t *asking);

#endif
