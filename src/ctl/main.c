/*
 * keystile: what the person asks the agent for. One command a run; see keystile(1).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/version.h>

#include "audit.h"
#include "control.h"
#include "doctor.h"
#include "env.h"
#include "policy.h"
#include "prompter.h"
#include "status.h"
#include "tpm.h"

#define LOG_LINES 20

enum { EXIT_FINE = 0, EXIT_NO_AGENT = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"usage: keystile status [--json]  what the agent does, holds and refused\n"
	"       keystile doctor [--json] [LIBRARY ...]\n"
	"                                 what keeps keys from working here, and what to do\n"
	"       keystile policy show [--json]\n"
	"                                 the rules in force\n"
	"       keystile policy test --key FINGERPRINT [--origin local|remote]\n"
	"                            [--to HOST | --namespace NAME | --subject KIND]\n"
	"                            [--executable PATH] [--listener NAME] [--json]\n"
	"                                 which rule would decide, and why\n"
	"       keystile reload           read the configuration anew\n"
	"       keystile env [-c | -s | --fish | --json]\n"
	"                                 what a shell sets to use the agent\n"
	"       keystile env --update [--json]\n"
	"                                 ask me in the session that this is\n"
	"       keystile prompter         answer the agent's questions in this terminal\n"
	"       keystile log [-f] [-n LINES] [--json]\n"
	"                                 what the audit log says\n"
	"       keystile tpm ...          make and change keys of the TPM\n"
	"       keystile help             this\n"
	"       keystile --version\n"
	"The agent is that of KEYSTILE_CONTROL, else of SSH_AUTH_SOCK, else your own one.\n"
	"More in keystile(1).\n";

static int bad_usage(void)
{
	fputs(usage, stderr);
	return EXIT_USAGE;
}

/* What was printed must have arrived. */
static int finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_FINE;
	complain("writing the output failed: %s", strerror(errno));
	return EXIT_NO_AGENT;
}

static void print_json(const json_t *answer)
{
	AUTO(text)
	text = json_dumps(answer, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	if (text != NULL)
		puts(text);
}

static int run_status(bool as_json)
{
	struct control control;
	json_t *answer = NULL;

	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	if (control_call(&control, "status", &answer) == KS_OK) {
		struct page page = page_of(stdout);

		if (as_json)
			print_json(answer);
		else
			status_print(&page, answer, &control);
	}
	control_close(&control);
	if (answer == NULL)
		return EXIT_NO_AGENT;
	json_decref(answer);
	return finish();
}

static int run_reload(void)
{
	struct control control;
	json_t *answer = NULL;

	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	if (control_call(&control, "reload", &answer) == KS_OK)
		puts("the configuration was read anew");
	control_close(&control);
	if (answer == NULL)
		return EXIT_NO_AGENT;
	json_decref(answer);
	return finish();
}

static bool print_settings(
	const struct env_wish *wish, const json_t *status, const struct control *control)
{
	json_t *settings = env_settings(status, control);

	if (settings == NULL)
		return false;
	if (wish->as_json)
		print_json(settings);
	else
		env_settings_print(wish->shell, settings);
	json_decref(settings);
	return true;
}

static bool print_update(const struct env_wish *wish, const json_t *answer)
{
	struct page page = page_of(stdout);

	if (wish->as_json)
		print_json(answer);
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
		return bad_usage();
	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	request = wish.update ? env_update_request() : json_pack("{s:s}", "command", "status");
	if (control_ask(&control, request, &answer) == KS_OK)
		done = wish.update ? print_update(&wish, answer)
				   : print_settings(&wish, answer, &control);
	control_close(&control);
	json_decref(request);
	json_decref(answer);
	return done ? finish() : EXIT_NO_AGENT;
}

static void print_policy(const struct policy_wish *wish, const json_t *answer)
{
	struct page page = page_of(stdout);

	if (wish->as_json)
		print_json(answer);
	else if (wish->test)
		policy_test_print(&page, answer);
	else
		policy_show_print(&page, answer);
}

static int run_policy(int count, char **words)
{
	struct control control;
	struct policy_wish wish;
	json_t *answer = NULL;

	if (!policy_parse(count, words, &wish))
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
	return finish();
}

/* False: the command line is wrong. */
static bool read_log_wish(int argc, char **argv, struct audit_wish *wish)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "+fn:", options, NULL)) != -1) {
		char *end = NULL;

		if (option == 'f') {
			wish->follow = true;
		} else if (option == 'j') {
			wish->as_json = true;
		} else if (option == 'n' && optarg[0] >= '0' && optarg[0] <= '9') {
			unsigned long count = strtoul(optarg, &end, 10);

			wish->count = count > AUDIT_COUNT_MAX ? AUDIT_COUNT_MAX : (unsigned)count;
		}
		if (option == '?' || (option == 'n' && (end == NULL || *end != '\0')))
			return false;
	}
	return optind == argc && wish->count > 0;
}

static int run_log(int argc, char **argv)
{
	struct audit_wish wish = {.count = LOG_LINES};
	struct page page = page_of(stdout);

	if (!read_log_wish(argc, argv, &wish))
		return bad_usage();
	return audit_print(&page, &wish) == KS_OK ? finish() : EXIT_NO_AGENT;
}

static int run_prompter(void)
{
	struct control control;
	enum ks_error error;

	if (control_open(&control) != KS_OK)
		return EXIT_NO_AGENT;
	error = prompter_run(&control);
	control_close(&control);
	return error == KS_OK ? finish() : EXIT_NO_AGENT;
}

static int run_doctor(int count, char **words)
{
	int verdict = doctor_run(count, words);

	return finish() == EXIT_FINE ? verdict : (int)DOCTOR_FAIL;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && is_one_of(argv[1], "--version", "-V")) {
		printf("keystile %s\n", KEYSTILE_VERSION);
		return finish();
	}
	if (argc == 2 && (is_one_of(argv[1], "--help", "-h") || strcmp(argv[1], "help") == 0)) {
		fputs(usage, stdout);
		return finish();
	}
	if (argc == 2 && strcmp(argv[1], "status") == 0)
		return run_status(false);
	if (argc >= 2 && strcmp(argv[1], "log") == 0)
		return run_log(argc - 1, argv + 1);
	if (argc == 3 && strcmp(argv[1], "status") == 0 && strcmp(argv[2], "--json") == 0)
		return run_status(true);
	if (argc == 2 && strcmp(argv[1], "prompter") == 0)
		return run_prompter();
	if (argc == 2 && strcmp(argv[1], "reload") == 0)
		return run_reload();
	if (argc >= 2 && strcmp(argv[1], "doctor") == 0)
		return run_doctor(argc - 2, argv + 2);
	if (argc >= 2 && strcmp(argv[1], "env") == 0)
		return run_env(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "tpm") == 0)
		return tpm_run(argc - 2, argv + 2);
	if (argc >= 2 && strcmp(argv[1], "policy") == 0)
		return run_policy(argc - 2, argv + 2);
	return bad_usage();
}
