/*
 * For zsh: a function for each command, with the specifications of _arguments.
 */
#include "completion.h"

#include <stdio.h>
#include <string.h>

#define IN_SPEC "[]:\\" /* what _arguments reads in another way */

static const char asked[] =
	"# What the agent says; colons part a word from its description.\n"
	"_keystile_asked()\n"
	"{\n"
	"	local line\n"
	"	local -a offered\n"
	"	for line in ${(f)\"$(command keystile completion $1 2>/dev/null)\"}; do\n"
	"		line=${${line//\\\\/\\\\\\\\}//:/\\\\:}\n"
	"		offered+=(\"${line/$'\\t'/:}\")\n"
	"	done\n"
	"	_describe -t $1 $1 offered\n"
	"}\n"
	"\n";

static void put_kind(const struct option_value *value)
{
	fputs(":", stdout);
	completion_put(value->name, IN_SPEC);
	switch (value->kind) {
	case VALUE_CHOICE:
		printf(":(%s)", value->choices);
		break;
	case VALUE_ASKED:
		printf(": _keystile_asked %s", value->choices);
		break;
	case VALUE_FILE:
		fputs(":_files", stdout);
		break;
	case VALUE_HOST:
		fputs(":_hosts", stdout);
		break;
	case VALUE_COMMAND:
		fputs(":_command_names -e", stdout);
		break;
	case VALUE_TEXT:
	default:
		fputs(": ", stdout);
	}
}

static void put_name(const struct option_row *row, bool by_letter)
{
	if (by_letter)
		printf("-%c", row->letter);
	else
		printf("--%s", row->name);
}

/* Those that can't stand beside it, itself too. */
static void put_excluded(const struct option_row *rows, const struct option_row *row)
{
	fputs("(", stdout);
	for (const struct option_row *other = rows; option_row_is(other); other++) {
		if (other != row && (other->apart & row->apart) == 0)
			continue;
		if (other->letter != '\0')
			printf("-%c ", other->letter);
		if (other->name != NULL)
			printf("--%s ", other->name);
	}
	fputs(")", stdout);
}

static void put_option(const struct option_row *rows, const struct option_row *row, bool by_letter)
{
	fputs(" \\\n		'", stdout);
	put_excluded(rows, row);
	put_name(row, by_letter);
	fputs("[", stdout);
	completion_put(row->purpose, IN_SPEC);
	fputs("]", stdout);
	if (row->value != NULL)
		put_kind(row->value);
	fputs("'", stdout);
}

static void put_options(const struct option_row *rows)
{
	for (const struct option_row *row = rows; option_row_is(row); row++) {
		if (row->letter != '\0')
			put_option(rows, row, true);
		if (row->name != NULL)
			put_option(rows, row, false);
	}
}

static void put_words(const struct command *command)
{
	for (const struct command_word *word = command->words; word->value != NULL; word++) {
		printf(" \\\n		'%s%s", word->many ? "*" : "", word->may_lack ? ":" : "");
		put_kind(word->value);
		fputs("'", stdout);
	}
}

static void put_function(const char *path, const struct command *command)
{
	fputs("_keystile_", stdout);
	for (; *path != '\0'; path++)
		putchar(*path == ' ' ? '_' : *path);
	fputs("()\n{\n	_arguments -s -S '(- *)'{-h,--help}'[how it is used]'", stdout);
	put_options(completion_options(command));
	put_words(command);
	fputs("\n}\n\n", stdout);
}

static void put_list(const struct command *list)
{
	for (; list->name != NULL; list++) {
		printf("		'%s:", list->name);
		completion_put(list->purpose, ":\\");
		fputs("'\n", stdout);
	}
}

/* Verbs, then the function of the one that was typed: its name behind the prefix. */
static void put_choice(
	const char *name, const char *prefix, const char *options, const struct command *list)
{
	printf("%s()\n"
	       "{\n"
	       "	local curcontext=$curcontext state line\n"
	       "	local -A opt_args\n"
	       "	local -a verbs=(\n",
		name);
	put_list(list);
	if (strcmp(prefix, "_keystile") == 0)
		fputs("		'help:the commands, or how one is used'\n", stdout);
	printf("	)\n"
	       "	_arguments -C %s '1: :->verb' '*:: :->rest'\n"
	       "	case $state in\n"
	       "	verb) _describe -t commands command verbs ;;\n"
	       "	rest) (( ! $+functions[%s_$line[1]] )) || %s_$line[1] ;;\n"
	       "	esac\n"
	       "}\n\n",
		options, prefix, prefix);
}

static void put_choices(void)
{
	char name[64];

	for (const struct command *command = commands; command->name != NULL; command++) {
		if (command->verbs == NULL)
			continue;
		(void)snprintf(name, sizeof(name), "_keystile_%s", command->name);
		put_choice(name, name, "'(- *)'{-h,--help}'[what the verbs are]'", command->verbs);
		(void)snprintf(name, sizeof(name), "_keystile_help_%s", command->name);
		put_choice(name, name, "", command->verbs);
	}
	put_choice("_keystile_help", "_keystile_help", "", commands);
	put_choice("_keystile_command", "_keystile",
		"'(- *)'{-h,--help}'[the commands]' '(- *)--version[print the version]'", commands);
}

void completion_zsh(void)
{
	fputs("#compdef keystile keystile-agent\n"
	      "# Completes them in zsh; made by `keystile completion zsh`.\n\n",
		stdout);
	fputs(asked, stdout);
	completion_each(put_function);
	put_choices();
	fputs("_keystile_agent()\n{\n	_arguments -s -S", stdout);
	put_options(agent_option_rows);
	fputs(" \\\n		'(-)1:command:_command_names -e' '*::arguments:_normal'\n}\n\n"
	      "case $service in\n"
	      "keystile-agent) _keystile_agent \"$@\" ;;\n"
	      "*) _keystile_command \"$@\" ;;\n"
	      "esac\n",
		stdout);
}
