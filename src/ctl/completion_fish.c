/*
 * For fish: a line for each command, option and value.
 */
#include "completion.h"

#include <stdio.h>

static const char driver[] = "# True where these words stand before what is completed; with "
			     "another one: and nothing else.\n"
			     "function __keystile_at\n"
			     "	set -l words (commandline -opc)[2..-1]\n"
			     "	if set -q argv[2]\n"
			     "		test \"$words\" = $argv[1]\n"
			     "	else\n"
			     "		string match -q -- \"$argv[1] *\" \"$words \"\n"
			     "	end\n"
			     "end\n"
			     "\n";

static void put_quoted(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void put_kind(const struct option_value *value)
{
	switch (value->kind) {
	case VALUE_CHOICE:
		printf(" -x -a '%s'", value->choices);
		break;
	case VALUE_ASKED:
		printf(" -x -a '(command keystile completion %s 2>/dev/null)'", value->choices);
		break;
	case VALUE_FILE:
		fputs(" -r -F", stdout);
		break;
	case VALUE_HOST:
		fputs(" -x -a '(__fish_print_hostnames)'", stdout);
		break;
	case VALUE_COMMAND:
		fputs(" -x -a '(__fish_complete_command)'", stdout);
		break;
	case VALUE_TEXT:
	default:
		fputs(" -x", stdout);
	}
}

static void put_options(const char *start, const struct option_row *rows)
{
	for (const struct option_row *row = rows; option_row_is(row); row++) {
		fputs(start, stdout);
		if (row->letter != '\0')
			printf(" -s %c", row->letter);
		if (row->name != NULL)
			printf(" -l %s", row->name);
		if (row->value != NULL)
			put_kind(row->value);
		fputs(" -d ", stdout);
		put_quoted(row->purpose);
		putchar('\n');
	}
}

static void put_command(const char *path, const struct command *command)
{
	char start[128];

	(void)snprintf(
		start, sizeof(start), "complete -c keystile -n '__keystile_at \"%s\"'", path);
	put_options(start, completion_options(command));
	printf("%s -s h -l help -d 'how it is used'\n", start);
	for (const struct command_word *word = command->words; word->value != NULL; word++) {
		fputs(start, stdout);
		if (word->value->kind == VALUE_FILE)
			fputs(" -F", stdout);
		else
			put_kind(word->value);
		putchar('\n');
	}
}

static void put_list(const char *path, const struct command *list)
{
	for (; list->name != NULL; list++) {
		printf("complete -c keystile -n '__keystile_at \"%s\" alone' -a %s -d ", path,
			list->name);
		put_quoted(list->purpose);
		putchar('\n');
	}
}

static void put_lists(void)
{
	char path[64];

	put_list("", commands);
	put_list("help", commands);
	for (const struct command *command = commands; command->name != NULL; command++) {
		if (command->verbs == NULL)
			continue;
		put_list(command->name, command->verbs);
		(void)snprintf(path, sizeof(path), "help %s", command->name);
		put_list(path, command->verbs);
		printf("complete -c keystile -n '__keystile_at %s alone' -s h -l help"
		       " -d 'what the verbs are'\n",
			command->name);
	}
}

void completion_fish(void)
{
	fputs("# Completes keystile and keystile-agent in fish; made by `keystile completion "
	      "fish`.\n\n",
		stdout);
	fputs(driver, stdout);
	fputs("complete -c keystile -e\n"
	      "complete -c keystile-agent -e\n"
	      "complete -c keystile -f\n"
	      "complete -c keystile -n '__keystile_at \"\" alone' -a help"
	      " -d 'the commands, or how one is used'\n"
	      "complete -c keystile -n '__keystile_at \"\" alone' -l help -d 'the commands'\n"
	      "complete -c keystile -n '__keystile_at \"\" alone' -l version"
	      " -d 'print the version'\n",
		stdout);
	put_lists();
	completion_each(put_command);
	put_options("complete -c keystile-agent", agent_option_rows);
	fputs("complete -c keystile-agent -x -a '(__fish_complete_subcommand)'\n", stdout);
}
