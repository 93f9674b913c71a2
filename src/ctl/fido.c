/*
 * The command line, and who is asked.
 */
#include "fido.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "command.h"
#include "control.h"
#include "field.h"
#include "worker.h"

#define PATIENCE_MS (15 * 60 * 1000)

struct fido_wish {
	bool as_json;
	bool pin;
};

static int list(const struct fido_wish *wish)
{
	json_t *request = json_pack("{s:s,s:b}", "verb", "list", "pin", wish->pin);
	const struct worker_wish whole = {
		.backend = "fido2", .provider = "fido2:", .request = request};
	json_t *answer = NULL;
	enum ks_error error = KS_NO_MEMORY;

	if (request != NULL)
		error = worker_administer(&whole, &answer);
	json_decref(request);
	if (error != KS_OK)
		return EXIT_NO_AGENT;
	if (wish->as_json)
		command_print_json(answer);
	else
		fido_print(answer);
	json_decref(answer);
	return command_finish();
}

/* The agent asks for the PINs where it asks for all of them. */
static int load(const struct fido_wish *wish)
{
	struct control control;
	json_t *request = json_pack("{s:s}", "command", "load");
	json_t *answer = NULL;

	if (request == NULL || control_open(&control) != KS_OK) {
		json_decref(request);
		return EXIT_NO_AGENT;
	}
	control_be_patient(&control, PATIENCE_MS);
	bool loaded = control_ask(&control, request, &answer) == KS_OK;
	control_close(&control);
	json_decref(request);
	if (!loaded)
		return EXIT_NO_AGENT;
	if (wish->as_json)
		command_print_json(answer);
	else
		printf("%lld resident key%s listed\n", (long long)number_in(answer, "keys"),
			number_in(answer, "keys") == 1 ? " is" : "s are");
	json_decref(answer);
	return command_finish();
}

static bool take_word(struct fido_wish *wish, const char *word)
{
	if (strcmp(word, "--json") == 0)
		wish->as_json = true;
	else if (strcmp(word, "--pin") == 0)
		wish->pin = true;
	else
		return false;
	return true;
}

int fido_run(int count, char **words)
{
	const struct rlimit none = {0, 0};
	struct fido_wish wish = {0};

	bool loads = count > 0 && strcmp(words[0], "load") == 0;

	if (!loads && (count == 0 || strcmp(words[0], "list") != 0))
		return command_misused("fido");
	for (int i = 1; i < count; i++)
		if (!take_word(&wish, words[i]) || (loads && wish.pin))
			return command_misused("fido");
	(void)setrlimit(RLIMIT_CORE, &none);
	return loads ? load(&wish) : list(&wish);
}
