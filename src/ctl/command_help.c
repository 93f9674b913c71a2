/*
 * Help, as the table of commands has it.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define COLUMNS 80
#define NAME 18 /* column where the purposes begin */

static const struct option_row no_options[] = {{0}};

static const struct option_row *options_of(const struct command *command)
{
	return command->options != NULL ? command->options : no_options;
}

/* ---- One line: [-c | -s] --key FINGERPRINT [--to HOST] [FILE ...] ---- */

/* What goes into the line at once, so that it can be broken before. */
struct usage_line {
	FILE *out;
	int column;
	int indent;
};

static void put(struct usage_line *line, const char *text)
{
	int len = (int)strlen(text);

	if (line->column + 1 + len > COLUMNS) {
		fprintf(line->out, "\n%*s", line->indent - 1, "");
		line->column = line->indent - 1;
	}
	line->column += fprintf(line->out, " %s", text);
}

static bool is_beside(const struct option_row *row, const struct option_row *next)
{
	return option_row_is(next) && (row->apart & next->apart & OPTION_APART_SHOWN) != 0;
}

/* An option and those that exclude it; the one behind them. */
static const struct option_row *put_option(struct usage_line *line, const struct option_row *row)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);
	bool needed = row->needed;

	if (memory == NULL)
		return row + 1;
	fputs(needed ? "" : "[", memory);
	option_row_print(row, memory);
	for (; is_beside(row, row + 1); row++) {
		fputs(" | ", memory);
		option_row_print(row + 1, memory);
	}
	fputs(needed ? "" : "]", memory);
	if (fclose(memory) == 0)
		put(line, text);
	free(text);
	return row + 1;
}

static void put_word(struct usage_line *line, const struct command_word *word)
{
	char text[COLUMNS];

	(void)snprintf(text, sizeof(text), "%s%s%s%s", word->may_lack ? "[" : "", word->value->name,
		word->many ? " ..." : "", word->may_lack ? "]" : "");
	put(line, text);
}

/* parent: its name, or NULL. */
static void print_line(
	const char *parent, const struct command *command, const char *before, FILE *out)
{
	struct usage_line line = {.out = out};

	line.column = fprintf(out, "%skeystile%s%s %s", before, parent != NULL ? " " : "",
		parent != NULL ? parent : "", command->name);
	line.indent = line.column + 1;
	for (const struct option_row *row = options_of(command); option_row_is(row);)
		row = put_option(&line, row);
	for (const struct command_word *word = command->words; word->value != NULL; word++)
		put_word(&line, word);
	fputc('\n', out);
}

/* ---- Pages ---- */

void command_print_usage(const struct command *parent, const struct command *command, FILE *out)
{
	const char *before = "usage: ";

	if (command->verbs == NULL) {
		print_line(parent != NULL ? parent->name : NULL, command, before, out);
		return;
	}
	for (const struct command *verb = command->verbs; verb->name != NULL; verb++) {
		print_line(command->name, verb, before, out);
		before = "       ";
	}
}

static void print_row(const char *name, const char *purpose, FILE *out)
{
	fprintf(out, "  %-*s%s\n", NAME - 2, name, purpose);
}

void command_print_help(const struct command *parent, const struct command *command, FILE *out)
{
	command_print_usage(parent, command, out);
	fprintf(out, "%s\n", command->purpose);
	option_rows_print(options_of(command), out);
	if (command->verbs == NULL)
		return;
	for (const struct command *verb = command->verbs; verb->name != NULL; verb++)
		print_row(verb->name, verb->purpose, out);
	fprintf(out, "`keystile %s VERB --help' says what the options are.\n", command->name);
}

void command_print_all(FILE *out)
{
	fputs("usage: keystile COMMAND [OPTION ...]\n", out);
	for (const struct command *command = commands; command->name != NULL; command++)
		print_row(command->name, command->purpose, out);
	print_row("help [COMMAND]", "this, or how a command is used", out);
	print_row("--version", "print the version", out);
	fputs("The agent is that of KEYSTILE_CONTROL, else of SSH_AUTH_SOCK, else your own one.\n"
	      "More in keystile(1).\n",
		out);
}
