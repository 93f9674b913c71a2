/*
 * keystile: what the person asks the agent for. One command a run; see keystile(1).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <keystile/version.h>

#include "command.h"

static void print_usage(FILE *out)
{
	const char *first = "usage: ";

	for (const struct command *command = commands; command->name != NULL; command++) {
		fprintf(out, "%s%s", first, command->usage);
		first = "       ";
	}
	fputs("       keystile help             this\n"
	      "       keystile --version\n"
	      "The agent is that of KEYSTILE_CONTROL, else of SSH_AUTH_SOCK, else your own one.\n"
	      "More in keystile(1).\n",
		out);
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
	const struct command *command = argc >= 2 ? command_find(argv[1]) : NULL;

	/* Those of tpm have verbs, with help of their own. */
	if (command != NULL && argc == 3 && is_one_of(argv[2], "--help", "-h") &&
		strcmp(command->name, "tpm") != 0) {
		printf("usage: %s", command->usage);
		return command_finish();
	}
	if (command != NULL)
		return command->run(argc - 1, argv + 1);
	if (argc == 2 && is_one_of(argv[1], "--version", "-V")) {
		printf("keystile %s\n", KEYSTILE_VERSION);
		return command_finish();
	}
	if (argc == 2 && (is_one_of(argv[1], "--help", "-h") || strcmp(argv[1], "help") == 0)) {
		print_usage(stdout);
		return command_finish();
	}
	print_usage(stderr);
	return EXIT_USAGE;
}
