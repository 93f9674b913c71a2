/*
 * For bash: tables as cases, and a function that walks along the words of the command line.
 */
#include "completion.h"

#include <stdio.h>

/*
 * What comes from the agent may be the label of a hostile token: it is compared and quoted, and
 * never given to compgen -W, which would expand it.
 */
static const char driver[] =
	"_keystile_from_agent()\n"
	"{\n"
	"	local word\n"
	"	while IFS=$'\\t' read -r word _; do\n"
	"		[[ $word == \"$2\"* ]] || continue\n"
	"		printf -v word %q \"$word\"\n"
	"		COMPREPLY+=(\"$word\")\n"
	"	done < <(command keystile completion \"$1\" 2>/dev/null)\n"
	"}\n"
	"\n"
	"# What a value of that kind may be.\n"
	"_keystile_fill()\n"
	"{\n"
	"	case $1 in\n"
	"	choice:*) mapfile -t COMPREPLY < <(compgen -W \"${1#*:}\" -- \"$2\") ;;\n"
	"	asked:*) _keystile_from_agent \"${1#*:}\" \"$2\" ;;\n"
	"	command) mapfile -t COMPREPLY < <(compgen -c -- \"$2\") ;;\n"
	"	host) if declare -F _known_hosts_real >/dev/null; then\n"
	"			_known_hosts_real -- \"$2\"\n"
	"		else\n"
	"			mapfile -t COMPREPLY < <(compgen -A hostname -- \"$2\")\n"
	"		fi ;;\n"
	"	file) compopt -o filenames 2>/dev/null\n"
	"		mapfile -t COMPREPLY < <(compgen -f -- \"$2\") ;;\n"
	"	esac\n"
	"}\n"
	"\n"
	"_keystile()\n"
	"{\n"
	"	local cur words cword path i=1 place=0 value='' ended=''\n"
	"	local verbs options operands\n"
	"	cur=${COMP_WORDS[COMP_CWORD]} words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
	"	if declare -F _get_comp_words_by_ref >/dev/null; then\n"
	"		_get_comp_words_by_ref -n =: cur words cword\n"
	"	fi\n"
	"	COMPREPLY=()\n"
	"	path=${words[0]##*/}\n"
	"	_keystile_at \"$path\"\n"
	"	for ((; i < cword; i++)); do\n"
	"		if [[ -n $verbs ]]; then\n"
	"			path+=\" ${words[i]}\"\n"
	"			_keystile_at \"$path\"\n"
	"		elif [[ -z $ended && ${words[i]} == -- ]]; then\n"
	"			ended=1\n"
	"		elif [[ -z $ended && ${words[i]} == -* ]]; then\n"
	"			_keystile_value \"$path ${words[i]}\"\n"
	"			[[ -z $value ]] || ((++i < cword)) || break\n"
	"			value=''\n"
	"		else\n"
	"			place=$((place + 1))\n"
	"		fi\n"
	"	done\n"
	"	if [[ -n $value ]]; then\n"
	"		_keystile_fill \"$value\" \"$cur\"\n"
	"	elif [[ -n $verbs ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -W \"$verbs $options\" -- \"$cur\")\n"
	"	elif [[ -z $ended && $cur == --*=* ]]; then\n"
	"		_keystile_value \"$path ${cur%%=*}\"\n"
	"		_keystile_fill \"$value\" \"${cur#*=}\"\n"
	"	elif [[ -z $ended && ( $cur == -* || -z $operands ) ]]; then\n"
	"		mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
	"	else\n"
	"		((place < ${#operands[@]})) || place=$((${#operands[@]} - 1))\n"
	"		_keystile_fill \"${operands[place]}\" \"$cur\"\n"
	"	fi\n"
	"	if [[ $cur == *:* ]] && declare -F __ltrim_colon_completions >/dev/null; then\n"
	"		__ltrim_colon_completions \"$cur\"\n"
	"	fi\n"
	"}\n"
	"\n"
	"complete -F _keystile keystile keystile-agent\n";

static void put_kind(const struct option_value *value)
{
	switch (value->kind) {
	case VALUE_CHOICE:
		printf("'choice:%s'", value->choices);
		break;
	case VALUE_ASKED:
		printf("asked:%s", value->choices);
		break;
	case VALUE_FILE:
		fputs("file", stdout);
		break;
	case VALUE_HOST:
		fputs("host", stdout);
		break;
	case VALUE_COMMAND:
		fputs("command", stdout);
		break;
	case VALUE_TEXT:
	default:
		fputs("text", stdout);
	}
}

static void put_options(const struct option_row *rows)
{
	fputs(" options='", stdout);
	for (const struct option_row *row = rows; option_row_is(row); row++) {
		if (row->letter != '\0')
			printf("-%c ", row->letter);
		if (row->name != NULL)
			printf("--%s ", row->name);
	}
	fputs("--help'", stdout);
}

static void put_command(const char *path, const struct command *command)
{
	const char *before = "";

	printf("	'keystile %s')", path);
	put_options(completion_options(command));
	fputs(" operands=(", stdout);
	for (const struct command_word *word = command->words; word->value != NULL; word++) {
		fputs(before, stdout);
		put_kind(word->value);
		before = " ";
	}
	fputs(") ;;\n", stdout);
}

static void put_names(const struct command *list)
{
	for (; list->name != NULL; list++)
		printf("%s ", list->name);
}

/* Those with verbs, and what help takes. */
static void put_parents(void)
{
	fputs("	keystile) options='--help --version' verbs='", stdout);
	put_names(commands);
	fputs("help' ;;\n	'keystile help') verbs='", stdout);
	put_names(commands);
	fputs("' ;;\n", stdout);
	for (const struct command *command = commands; command->name != NULL; command++) {
		if (command->verbs == NULL)
			continue;
		printf("	'keystile %s') options=--help verbs='", command->name);
		put_names(command->verbs);
		printf("' ;;\n	'keystile help %s') verbs='", command->name);
		put_names(command->verbs);
		fputs("' ;;\n", stdout);
	}
}

static void put_values(const char *path, const struct option_row *rows)
{
	for (const struct option_row *row = rows; option_row_is(row); row++) {
		if (row->value == NULL)
			continue;
		fputs("	", stdout);
		if (row->letter != '\0')
			printf("'%s -%c'%s", path, row->letter, row->name != NULL ? " | " : "");
		if (row->name != NULL)
			printf("'%s --%s'", path, row->name);
		fputs(") value=", stdout);
		put_kind(row->value);
		fputs(" ;;\n", stdout);
	}
}

static void put_values_of(const char *path, const struct command *command)
{
	char whole[80];

	(void)snprintf(whole, sizeof(whole), "keystile %s", path);
	put_values(whole, completion_options(command));
}

void completion_bash(void)
{
	fputs("# Completes keystile and keystile-agent in bash; made by `keystile completion "
	      "bash`.\n\n"
	      "# What may stand behind these words.\n"
	      "_keystile_at()\n{\n	verbs='' options='' operands=()\n	case $1 in\n",
		stdout);
	put_parents();
	completion_each(put_command);
	fputs("	keystile-agent)", stdout);
	put_options(agent_option_rows);
	fputs(" operands=(command file) ;;\n	esac\n}\n\n"
	      "# The value that an option there takes.\n"
	      "_keystile_value()\n{\n	value=''\n	case $1 in\n",
		stdout);
	completion_each(put_values_of);
	put_values("keystile-agent", agent_option_rows);
	fputs("	esac\n}\n\n", stdout);
	fputs(driver, stdout);
}
