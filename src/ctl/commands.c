/*
 * See command.h. Commands that are a question to the agent and its answer on a page are here;
 * longer ones have files of their own.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "audit.h"
#include "command.h"
#include "control.h"
#include "doctor.h"
#include "env.h"
#include "fido.h"
#include "field.h"
#include "policy.h"
#include "prompter.h"
#include "status.h"
#include "tpm.h"
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

/* The only word after the command. */
static bool is_word(int argc, char **argv, const char *word)
{
	return argc == 2 && strcmp(argv[1], word) == 0;
}

static int run_status(int argc, char **argv)
{
	if (is_word(argc, argv, "--watch"))
		return watch_status();
	if (argc != 1 && !is_word(argc, argv, "--json"))
		return command_misused(argv[0]);
	return ask(question("status"), argc > 1, status_print);
}

/* A part of the status, as the agent said it. */
static int print_part_json(const char *part)
{
	struct control control;
	json_t *status = NULL;

	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	if (control_call(&control, "status", &status) == KS_OK)
		command_print_json(json_object_get(status, part));
	control_close(&control);
	if (status == NULL)
		return EXIT_NO_AGENT;
	json_decref(status);
	return command_finish();
}

static int run_keys(int argc, char **argv)
{
	if (is_word(argc, argv, "--json"))
		return print_part_json("keys");
	return argc == 1 ? ask(question("status"), false, status_print_keys)
			 : command_misused(argv[0]);
}

static int run_why(int argc, char **argv)
{
	return argc == 1 ? ask(question("status"), false, status_print_why)
			 : command_misused(argv[0]);
}

static void print_reloaded(struct page *page, const json_t *answer, const struct control *control)
{
	(void)answer;
	(void)control;
	page_text(page, PAGE_PLAIN, 0, 0, "the configuration was read anew");
}

static int run_reload(int argc, char **argv)
{
	return argc == 1 ? ask(question("reload"), false, print_reloaded)
			 : command_misused(argv[0]);
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

static int run_release(int argc, char **argv)
{
	json_t *request = question("release");

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		json_decref(request);
		return command_misused(argv[0]);
	}
	if (argc == 2)
		json_object_set_new(request, "token", json_string(argv[1]));
	return ask(request, false, print_released);
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

static int run_lock(int argc, char **argv)
{
	return argc == 1 ? run_ssh_add("-x") : command_misused(argv[0]);
}

static int run_unlock(int argc, char **argv)
{
	return argc == 1 ? run_ssh_add("-X") : command_misused(argv[0]);
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

static int run_env(int argc, char **argv)
{
	struct control control;
	struct env_wish wish;
	json_t *request, *answer = NULL;
	bool done = false;

	if (!env_parse(argc, argv, &wish))
		return command_misused("env");
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

static void print_policy(const struct policy_wish *wish, const json_t *answer)
{
	struct page page = page_of(stdout);

	if (wish->as_json)
		command_print_json(answer);
	else if (wish->test)
		policy_test_print(&page, answer);
	else
		policy_show_print(&page, answer);
}

static int run_policy(int argc, char **argv)
{
	struct control control;
	struct policy_wish wish;
	json_t *answer = NULL;

	if (!policy_parse(argc - 1, argv + 1, &wish))
		return EXIT_USAGE;
	if (control_open(&control) == KS_OK) {
		if (control_ask(&control, wish.request, &answer) == KS_OK)
			print_policy(&wish, answer);
		control_close(&control);
	}
	json_decref(wish.request);
	if (answer == NULL)
		return EXIT_NO_AGENT;
	json_decref(answer);
	return command_finish();
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

/* False: the command line is wrong. */
static bool read_log_wish(int argc, char **argv, struct audit_wish *wish)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
		{"key", required_argument, NULL, 'k'}, {"host", required_argument, NULL, 'h'},
		{"origin", required_argument, NULL, 'o'}, {"refused", no_argument, NULL, 'r'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "+fn:", options, NULL)) != -1) {
		if (option == 'f')
			wish->follow = true;
		else if (option == 'j')
			wish->as_json = true;
		else if (option == 'n')
			wish->count = count_of(optarg);
		else if (option == 'k')
			wish->filter.key = optarg;
		else if (option == 'h')
			wish->filter.host = optarg;
		else if (option == 'o')
			wish->filter.origin = optarg;
		else if (option == 'r')
			wish->filter.refused = true;
		else
			return false;
	}
	return optind == argc && wish->count > 0 && audit_filter_possible(&wish->filter);
}

static int run_log(int argc, char **argv)
{
	struct audit_wish wish = {.count = LOG_LINES};
	struct page page = page_of(stdout);

	if (!read_log_wish(argc, argv, &wish))
		return command_misused("log");
	return audit_print(&page, &wish) == KS_OK ? command_finish() : EXIT_NO_AGENT;
}

static int run_prompter(int argc, char **argv)
{
	struct control control;
	enum ks_error error;

	if (argc != 1)
		return command_misused(argv[0]);
	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	error = prompter_run(&control);
	control_close(&control);
	return error == KS_OK ? command_finish() : EXIT_NO_AGENT;
}

static int run_doctor(int argc, char **argv)
{
	int verdict = doctor_run(argc - 1, argv + 1);

	return command_finish() == EXIT_FINE ? verdict : (int)DOCTOR_FAIL;
}

static int run_fido(int argc, char **argv)
{
	return fido_run(argc - 1, argv + 1);
}

static int run_tpm(int argc, char **argv)
{
	return tpm_run(argc - 1, argv + 1);
}

/* ---- All of them ---- */

const struct command commands[] = {
	{"status",
		"keystile status [--json | --watch]\n"
		"                                 what the agent does, holds and refused\n",
		run_status},
	{"keys", "keystile keys [--json]    the keys, where they are, what they can prove\n",
		run_keys},
	{"why", "keystile why              why the last request from this terminal was refused\n",
		run_why},
	{"doctor",
		"keystile doctor [--json] [LIBRARY ...]\n"
		"                                 what keeps keys from working here, and what to "
		"do\n",
		run_doctor},
	{"lock", "keystile lock             no keys until a password is given (ssh-add -x)\n",
		run_lock},
	{"unlock", "keystile unlock           the password (ssh-add -X)\n", run_unlock},
	{"release", "keystile release [TOKEN]  log out and let other programs have the tokens\n",
		run_release},
	{"policy",
		"keystile policy show [--json]\n"
		"                                 the rules in force\n"
		"       keystile policy test --key FINGERPRINT [--origin local|remote]\n"
		"                            [--to HOST | --namespace NAME | --subject KIND]\n"
		"                            [--executable PATH] [--listener NAME] [--json]\n"
		"                                 which rule would decide, and why\n",
		run_policy},
	{"reload", "keystile reload           read the configuration anew\n", run_reload},
	{"env",
		"keystile env [-c | -s | --fish | --json]\n"
		"                                 what a shell sets to use the agent\n"
		"       keystile env --update [--json]\n"
		"                                 ask me in the session that this is\n",
		run_env},
	{"prompter", "keystile prompter         answer the agent's questions in this terminal\n",
		run_prompter},
	{"log",
		"keystile log [-f] [-n LINES] [--json] [--key KEY] [--host HOST]\n"
		"                    [--origin local|remote] [--refused]\n"
		"                                 what the audit log says\n",
		run_log},
	{"fido",
		"keystile fido list [--pin] [--json]\n"
		"                                 the security keys that are plugged in\n"
		"       keystile fido load [--json]\n"
		"                                 have the agent load what is resident on them\n",
		run_fido},
	{"tpm", "keystile tpm ...          make and change keys of the TPM\n", run_tpm},
	{0},
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name != NULL; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

int command_misused(const char *name)
{
	const struct command *command = command_find(name);

	fprintf(stderr, "usage: %s", command != NULL ? command->usage : "keystile help\n");
	return EXIT_USAGE;
}
