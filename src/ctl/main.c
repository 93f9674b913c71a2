/*
 * keystile: what the person asks the agent for. One command a run; see keystile(1).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/version.h>

#include "control.h"
#include "status.h"

enum { EXIT_FINE = 0, EXIT_NO_AGENT = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"usage: keystile status [--json]  what the agent does, holds and refused\n"
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
	if (argc == 3 && strcmp(argv[1], "status") == 0 && strcmp(argv[2], "--json") == 0)
		return run_status(true);
	return bad_usage();
}
