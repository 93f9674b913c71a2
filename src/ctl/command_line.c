/*
 * From the words of the command line to the command, its options and what else it takes.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>
#include <keystile/version.h>

#include "command.h"
#include "control.h"
#include "nearest.h"

static const struct option_row no_options[] = {{0}};

static const struct option_row *options_of(const struct call *call)
{
	return call->command->options != NULL ? call->command->options : no_options;
}

/* ---- What was given ---- */

static bool has_name(const struct option_row *row, const char *name)
{
	if (name[0] != '\0' && name[1] == '\0')
		return row->letter == name[0];
	return row->name != NULL && strcmp(row->name, name) == 0;
}

const char *call_option(const struct call *call, const char *name)
{
	const struct option_row *rows = options_of(call);

	for (size_t i = 0; option_row_is(&rows[i]); i++)
		if (has_name(&rows[i], name))
			return call->given[i];
	return NULL;
}

bool call_has(const struct call *call, const char *name)
{
	return call_option(call, name) != NULL;
}

const char *call_word(const struct call *call, int place)
{
	return place < call->word_count ? call->words[place] : NULL;
}

/* ---- What is wrong ---- */

int command_misused(const struct call *call)
{
	command_print_usage(call->parent, call->command, stderr);
	return call->command->misused != 0 ? call->command->misused : EXIT_USAGE;
}

static const char *name_of(const struct call *call, char *out, size_t size)
{
	(void)snprintf(out, size, "%s%s%s", call->parent != NULL ? call->parent->name : "",
		call->parent != NULL ? " " : "", call->command->name);
	return out;
}

/* "status: no such option: --yaml", and what it may have been. */
static bool complain_of_option(const struct call *call, const char *text)
{
	const struct option_row *rows = options_of(call);
	struct nearest nearest = nearest_to(strncmp(text, "--", 2) == 0 ? text + 2 : "");
	char name[64];

	for (size_t i = 0; option_row_is(&rows[i]); i++)
		if (rows[i].name != NULL)
			nearest_offer(&nearest, rows[i].name);
	complain("%s: no such option: %s%s%s", name_of(call, name, sizeof(name)), text,
		nearest.found != NULL ? "; did you mean --" : "",
		nearest.found != NULL ? nearest.found : "");
	return false;
}

/* What getopt_long() says of a word that it does not like. */
static bool complain_of(const struct call *call, int returned, char *const *argv)
{
	int place = option_row_place(options_of(call), optopt);
	char name[64];

	(void)name_of(call, name, sizeof(name));
	if (place < 0 && optopt > ' ' && optopt < OPTION_NAMED) {
		const char letter[] = {'-', (char)optopt, '\0'};

		return complain_of_option(call, letter);
	}
	if (place < 0)
		return complain_of_option(call, argv[optind - 1]);
	if (returned == ':')
		complain("%s: %s needs a value", name, argv[optind - 1]);
	else
		complain("%s: no value goes with %s", name, argv[optind - 1]);
	return false;
}

/* ---- Understanding it ---- */

static bool take(struct call *call, int place)
{
	const struct option_row *rows = options_of(call);
	const struct option_row *row = &rows[place];
	char name[64];

	char one[OPTION_NAME_MAX], other[OPTION_NAME_MAX];

	(void)name_of(call, name, sizeof(name));
	if (row->value != NULL && call->given[place] != NULL) {
		complain("%s: %s is given twice", name, option_row_name(row, one));
		return false;
	}
	for (int i = 0; option_row_is(&rows[i]); i++) {
		if (i == place || call->given[i] == NULL || (rows[i].apart & row->apart) == 0)
			continue;
		complain("%s: %s and %s exclude each other", name, option_row_name(&rows[i], other),
			option_row_name(row, one));
		return false;
	}
	call->given[place] = row->value != NULL ? optarg : "";
	return true;
}

/* Those that are needed, and as many words as it takes. */
static bool is_whole(const struct call *call)
{
	const struct option_row *rows = options_of(call);
	const struct command_word *word = call->command->words;
	int place = 0;
	char name[64], option[OPTION_NAME_MAX];

	(void)name_of(call, name, sizeof(name));
	for (int i = 0; option_row_is(&rows[i]); i++) {
		if (!rows[i].needed || call->given[i] != NULL)
			continue;
		complain("%s: %s %s is needed: %s", name, option_row_name(&rows[i], option),
			rows[i].value->name, rows[i].purpose);
		return false;
	}
	for (; word->value != NULL && !word->many && place < call->word_count; word++)
		place++;
	if (word->value != NULL && !word->may_lack)
		complain("%s: %s is missing", name, word->value->name);
	else if (word->value == NULL && place < call->word_count)
		complain("%s: one word too many: %s", name, call->words[place]);
	else
		return true;
	return false;
}

static bool parse(struct call *call, int argc, char **argv)
{
	const struct option_row *rows = options_of(call);
	struct option_tables tables;
	int returned;

	option_rows_describe(rows, ":", &tables);
	optind = 1;
	while ((returned = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
		int place = option_row_place(rows, returned);

		if (place < 0)
			return complain_of(call, returned, argv);
		if (!take(call, place))
			return false;
	}
	call->words = argv + optind;
	call->word_count = argc - optind;
	return is_whole(call);
}

/* ---- Which command ---- */

static const struct command *find(const struct command *list, const char *name)
{
	for (; list != NULL && list->name != NULL; list++)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static void complain_of_command(const struct command *parent, const char *word)
{
	const struct command *list = parent != NULL ? parent->verbs : commands;
	struct nearest nearest = nearest_to(word);

	for (const struct command *one = list; one->name != NULL; one++)
		nearest_offer(&nearest, one->name);
	complain("there is no command '%s%s%s'%s%s%s", parent != NULL ? parent->name : "",
		parent != NULL ? " " : "", word, nearest.found != NULL ? "; did you mean '" : "",
		nearest.found != NULL ? nearest.found : "", nearest.found != NULL ? "'?" : "");
}

/* argv[0] is the command. */
static int run_command(struct call *call, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!is_help(argv[i]))
			continue;
		command_print_help(call->parent, call->command, stdout);
		return command_finish();
	}
	opterr = 0;
	return parse(call, argc, argv) ? call->command->run(call) : command_misused(call);
}

static int run_verb(const struct command *parent, int argc, char **argv)
{
	struct call call = {.parent = parent};

	if (argc > 0)
		call.command = find(parent->verbs, argv[0]);
	if (call.command != NULL)
		return run_command(&call, argc, argv);
	if (argc > 0 && is_help(argv[0])) {
		command_print_help(NULL, parent, stdout);
		return command_finish();
	}
	if (argc > 0)
		complain_of_command(parent, argv[0]);
	else
		complain("%s: say what is to be done", parent->name);
	command_print_usage(NULL, parent, stderr);
	return EXIT_USAGE;
}

/* `keystile help [COMMAND [VERB]]` */
static int run_help(int argc, char **argv)
{
	const struct command *parent = NULL, *command = NULL;

	if (argc == 0) {
		command_print_all(stdout);
		return command_finish();
	}
	for (int i = 0; i < argc; i++) {
		parent = command;
		command = find(parent != NULL ? parent->verbs : commands, argv[i]);
		if (command != NULL)
			continue;
		if (parent == NULL || parent->verbs != NULL)
			complain_of_command(parent, argv[i]);
		else
			complain("help: one word too many: %s", argv[i]);
		return EXIT_USAGE;
	}
	command_print_help(parent, command, stdout);
	return command_finish();
}

int command_run(int argc, char **argv)
{
	struct call call = {.command = argc > 0 ? find(commands, argv[0]) : NULL};

	if (argc == 0) {
		command_print_all(stderr);
		return EXIT_USAGE;
	}
	if (call.command != NULL)
		return call.command->verbs != NULL ? run_verb(call.command, argc - 1, argv + 1)
						   : run_command(&call, argc, argv);
	if (argc == 1 && (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0)) {
		printf("keystile %s\n", KEYSTILE_VERSION);
		return command_finish();
	}
	if (is_help(argv[0]) || strcmp(argv[0], "help") == 0)
		return run_help(argc - 1, argv + 1);
	if (strcmp(argv[0], "--version") == 0)
		complain("one word too many: %s", argv[1]);
	else
		complain_of_command(NULL, argv[0]);
	fputs("usage: keystile COMMAND [OPTION ...]; keystile help lists the commands\n", stderr);
	return EXIT_USAGE;
}
