/*
 * What the scripts have in common, and what they ask for: the agent is asked for no longer than a
 * second, and nothing is said where there is none.
 */
#include "completion.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "commands.h"
#include "control.h"
#include "field.h"
#include "page.h"

#define PATIENCE_SECONDS 1
#define PATH_SIZE 64

/* ---- For the scripts ---- */

const struct option_row completion_no_options[] = {{0}};

const struct option_row *completion_options(const struct command *command)
{
	return command->options != NULL ? command->options : completion_no_options;
}

void completion_each(completion_visit *visit)
{
	char path[PATH_SIZE];

	for (const struct command *command = commands; command->name != NULL; command++) {
		if (command->verbs == NULL)
			visit(command->name, command);
		for (const struct command *verb = command->verbs;
			verb != NULL && verb->name != NULL; verb++) {
			(void)snprintf(path, sizeof(path), "%s %s", command->name, verb->name);
			visit(path, verb);
		}
	}
}

void completion_put(const char *text, const char *escaped)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		else if (strchr(escaped, *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

/* ---- What they ask for ---- */

/* A word and what it is. What is no printable ASCII could not be typed as it is. */
static void offer(const char *word, const char *purpose)
{
	AUTO(text) safe = page_escape(word, false);
	AUTO(text) about = page_escape(purpose, false);

	if (word[0] != '\0' && safe != NULL && about != NULL && strcmp(safe, word) == 0)
		printf("%s\t%s\n", word, about);
}

static void offer_tokens(const json_t *status)
{
	const json_t *providers = json_object_get(status, "providers");

	for (size_t i = 0; i < json_array_size(providers); i++) {
		const json_t *provider = json_array_get(providers, i);
		const json_t *tokens = json_object_get(provider, "tokens");

		for (size_t j = 0; j < json_array_size(tokens); j++)
			offer(text_in(json_array_get(tokens, j), "label"),
				text_in(provider, "backend"));
	}
}

/* Of each in the list, these two. */
static void offer_list(const json_t *list, const char *word, const char *purpose)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		offer(text_in(json_array_get(list, i), word),
			text_in(json_array_get(list, i), purpose));
}

static int offer_from_agent(const char *what)
{
	struct buf silence = {0};
	struct control control;
	json_t *status = NULL;

	complain_into(&silence);
	(void)alarm(PATIENCE_SECONDS);
	if (control_open(&control) == KS_OK) {
		if (control_call(&control, "status", &status) != KS_OK)
			status = NULL;
		control_close(&control);
	}
	complain_into(NULL);
	buf_deinit(&silence);
	if (strcmp(what, "tokens") == 0)
		offer_tokens(status);
	else if (strcmp(what, "keys") == 0)
		offer_list(json_object_get(status, "keys"), "fingerprint", "comment");
	else
		offer_list(json_object_get(status, "sockets"), "name", "origin");
	json_decref(status);
	return command_finish();
}

int run_completion(const struct call *call)
{
	const char *what = call_word(call, 0);

	if (strcmp(what, "bash") == 0)
		completion_bash();
	else if (strcmp(what, "zsh") == 0)
		completion_zsh();
	else if (strcmp(what, "fish") == 0)
		completion_fish();
	else if (strcmp(what, "keys") == 0 || strcmp(what, "tokens") == 0 ||
		 strcmp(what, "listeners") == 0)
		return offer_from_agent(what);
	else {
		complain("completion: bash, zsh or fish: %s", what);
		return command_misused(call);
	}
	return command_finish();
}
