/*
 * Commands that are a question to the agent and its answer on a page are here; longer ones have
 * files of their own.
 */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "audit.h"
#include "control.h"
#include "doctor.h"
#include "env.h"
#include "field.h"
#include "policy.h"
#include "prompter.h"
#include "status.h"
#include "watch.h"

#define LOG_LINES 20

int command_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_FINE;
	complain("writing the output failed: %s", strerror(errno));
	return EXIT_NO_AGENT;
}

void command_print_json(const json_t *answer)
{
	AUTO(text)
	text = json_dumps(answer, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	if (text != NULL)
		puts(text);
}

/* ---- What the agent says of itself ---- */

typedef void print_answer(struct page *page, const json_t *answer, const struct control *control);

/* Asks one question and prints the answer. */
static int ask(json_t *request, bool as_json, print_answer *print)
{
	struct control control;
	json_t *answer = NULL;

	if (control_open(&control) != KS_OK) {
		json_decref(request);
		return EXIT_NO_AGENT;
	}
	if (control_ask(&control, request, &answer) == KS_OK) {
		struct page page = page_of(stdout);

		if (as_json)
			command_print_json(answer);
		else
			print(&page, answer, &control);
	}
	control_close(&control);
	json_decref(request);
	if (answer == NULL)
		return EXIT_NO_AGENT;
	json_decref(answer);
	return command_finish();
}

static json_t *question(const char *command)
{
	return json_pack("{s:s}", "command", command);
}

int run_status(const struct call *call)
{
	if (call_has(call, "watch"))
		return watch_status();
	return ask(question("status"), call_has(call, "json"), status_print);
}

/* What is made of the status, as JSON. */
static int print_of_status(json_t *(*make)(const json_t *status))
{
	struct control control;
	json_t *status = NULL;

	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	if (control_call(&control, "status", &status) == KS_OK) {
		json_t *made = make(status);

		command_print_json(made);
		json_decref(made);
	}
	control_close(&control);
	if (status == NULL)
		return EXIT_NO_AGENT;
	json_decref(status);
	return command_finish();
}

static json_t *keys_of(const json_t *status)
{
	return json_incref(json_object_get(status, "keys"));
}

int run_keys(const struct call *call)
{
	if (call_has(call, "json"))
		return print_of_status(keys_of);
	return ask(question("status"), false,
		call_has(call, "all") ? status_print_all_keys : status_print_keys);
}

int run_why(const struct call *call)
{
	return call_has(call, "json") ? print_of_status(status_why_json)
				      : ask(question("status"), false, status_print_why);
}

static void print_reloaded(struct page *page, const json_t *answer, const struct control *control)
{
	(void)answer;
	(void)control;
	page_text(page, PAGE_PLAIN, 0, 0, "the configuration was read anew");
}

int run_reload(const struct call *call)
{
	(void)call;
	return ask(question("reload"), false, print_reloaded);
}

static void print_released(struct page *page, const json_t *answer, const struct control *control)
{
	const json_t *tokens = json_object_get(answer, "tokens");

	(void)control;
	if (json_array_size(tokens) == 0)
		page_text(page, PAGE_PLAIN, 0, 0, "there was no token to give back");
	for (size_t i = 0; i < json_array_size(tokens); i++) {
		const json_t *token = json_array_get(tokens, i);
		bool good = !has_text(token, "error");

		page_text(page, good ? PAGE_PLAIN : PAGE_BAD, 0, 2, "%s: %s",
			has_text(token, "label") ? text_in(token, "label") : "(without a label)",
			good ? "given back" : text_in(token, "error"));
	}
}

static void print_released_one(
	struct page *page, const json_t *answer, const struct control *control)
{
	if (json_array_size(json_object_get(answer, "tokens")) == 0)
		page_text(page, PAGE_PLAIN, 0, 0,
			"nothing is open of a token with that label or serial number; keystile "
			"status has the tokens");
	else
		print_released(page, answer, control);
}

int run_release(const struct call *call)
{
	json_t *request = question("release");

	if (call->word_count > 0)
		json_object_set_new(request, "token", json_string(call_word(call, 0)));
	return ask(request, call_has(call, "json"),
		call->word_count > 0 ? print_released_one : print_released);
}

/* ---- Locked and unlocked by the one program that everybody knows for it ---- */

static int run_ssh_add(const char *option)
{
	struct control control;
	json_t *status = NULL;

	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	if (control_call(&control, "status", &status) == KS_OK) {
		const char *path = status_local_socket(status);

		if (path[0] == '\0' || setenv("SSH_AUTH_SOCK", path, 1) != 0)
			complain("the agent does not say where its socket for ssh is");
		else
			execlp("ssh-add", "ssh-add", option, (char *)NULL);
		if (path[0] != '\0')
			complain("ssh-add can't be started: %s", strerror(errno));
	}
	control_close(&control);
	json_decref(status);
	return EXIT_NO_AGENT;
}

int run_lock(const struct call *call)
{
	(void)call;
	return run_ssh_add("-x");
}

int run_unlock(const struct call *call)
{
	(void)call;
	return run_ssh_add("-X");
}

/* ---- The rest ---- */

static bool print_settings(
	const struct env_wish *wish, const json_t *status, const struct control *control)
{
	json_t *settings = env_settings(status, control);

	if (settings == NULL)
		return false;
	if (wish->as_json)
		command_print_json(settings);
	else
		env_settings_print(wish->shell, settings);
	json_decref(settings);
	return true;
}

static bool print_update(const struct env_wish *wish, const json_t *answer)
{
	struct page page = page_of(stdout);

	if (wish->as_json)
		command_print_json(answer);
	else
		env_update_print(&page, answer);
	return true;
}

int run_env(const struct call *call)
{
	struct control control;
	struct env_wish wish = env_wish_of(call);
	json_t *request, *answer = NULL;
	bool done = false;

	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	request = wish.update ? env_update_request() : json_pack("{s:s}", "command", "status");
	if (control_ask(&control, request, &answer) == KS_OK)
		done = wish.update ? print_update(&wish, answer)
				   : print_settings(&wish, answer, &control);
	control_close(&control);
	json_decref(request);
	json_decref(answer);
	return done ? command_finish() : EXIT_NO_AGENT;
}

static int run_policy(json_t *request, bool as_json, void (*print)(struct page *, const json_t *))
{
	struct control control;
	struct page page = page_of(stdout);
	json_t *answer = NULL;

	if (control_open(&control) == KS_OK) {
		if (control_ask(&control, request, &answer) == KS_OK) {
			if (as_json)
				command_print_json(answer);
			else
				print(&page, answer);
		}
		control_close(&control);
	}
	json_decref(request);
	if (answer == NULL)
		return EXIT_NO_AGENT;
	json_decref(answer);
	return command_finish();
}

int run_policy_show(const struct call *call)
{
	return run_policy(question("policy-show"), call_has(call, "json"), policy_show_print);
}

int run_policy_test(const struct call *call)
{
	json_t *request = policy_test_request(call);

	return request == NULL ? command_misused(call)
			       : run_policy(request, call_has(call, "json"), policy_test_print);
}

/* 0: it is none, or too large. */
static unsigned count_of(const char *text)
{
	char *end = NULL;
	unsigned long count = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;

	if (end == NULL || *end != '\0')
		return 0;
	return count > AUDIT_COUNT_MAX ? AUDIT_COUNT_MAX : (unsigned)count;
}

int run_log(const struct call *call)
{
	const char *count = call_option(call, "n");
	const struct audit_wish wish = {
		.count = count != NULL ? count_of(count) : LOG_LINES,
		.follow = call_has(call, "f"),
		.as_json = call_has(call, "json"),
		.filter = {.key = call_option(call, "key"),
			.host = call_option(call, "host"),
			.origin = call_option(call, "origin"),
			.refused = call_has(call, "refused")},
	};
	struct page page = page_of(stdout);

	if (wish.count == 0)
		complain("log: -n takes a number, 1 at the least: %s", count);
	else if (!audit_filter_possible(&wish.filter))
		complain("log: --origin is local or remote: %s", wish.filter.origin);
	else
		return audit_print(&page, &wish) == KS_OK ? command_finish() : EXIT_NO_AGENT;
	return command_misused(call);
}

int run_prompter(const struct call *call)
{
	struct control control;
	enum ks_error error;

	(void)call;
	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	error = prompter_run(&control);
	control_close(&control);
	return error == KS_OK ? command_finish() : EXIT_NO_AGENT;
}

int run_doctor(const struct call *call)
{
	int verdict;

	for (int i = 0; i < call->word_count; i++) {
		if (call->words[i][0] == '/')
			continue;
		complain("doctor: not the path of a library: %s", call->words[i]);
		return command_misused(call);
	}
	verdict = doctor_run(call_has(call, "json"), call->words, call->word_count);
	return command_finish() == EXIT_FINE ? verdict : (int)DOCTOR_FAIL;
}
