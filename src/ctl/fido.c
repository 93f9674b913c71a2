/*
 * The command line, and who is asked.
 */
#include "fido.h"

#include <stdio.h>
#include <sys/resource.h>

#include "commands.h"
#include "control.h"
#include "field.h"
#include "worker.h"

#define PATIENCE_MS (15 * 60 * 1000)

/* Nothing of a PIN goes into a dump. */
static void leave_no_core(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
}

int run_fido_list(const struct call *call)
{
	json_t *request = json_pack("{s:s,s:b,s:s*}", "verb", "list", "pin", call_has(call, "pin"),
		"token", call_word(call, 0));
	const struct worker_wish whole = {
		.backend = "fido2", .provider = "fido2:", .request = request};
	json_t *answer = NULL;
	enum ks_error error = KS_NO_MEMORY;

	leave_no_core();
	if (request != NULL)
		error = worker_administer(&whole, &answer);
	json_decref(request);
	if (error != KS_OK)
		return EXIT_NO_AGENT;
	if (call_has(call, "json"))
		command_print_json(answer);
	else
		fido_print(answer);
	json_decref(answer);
	return command_finish();
}

/* The agent asks for the PINs where it asks for all of them. */
int run_fido_load(const struct call *call)
{
	struct control control;
	json_t *request = json_pack("{s:s,s:s*}", "command", "load", "token", call_word(call, 0));
	json_t *answer = NULL;

	leave_no_core();
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
	if (call_has(call, "json"))
		command_print_json(answer);
	else
		printf("%lld resident key%s listed\n", (long long)number_in(answer, "keys"),
			number_in(answer, "keys") == 1 ? " is" : "s are");
	json_decref(answer);
	return command_finish();
}
