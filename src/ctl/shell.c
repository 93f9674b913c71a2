/*
 * The quotes of three shells. All know single quotes, and what ends or means something within them
 * differs.
 */
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "shell.h"

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-+:@,";

	return *word != '\0' && word[strspn(word, plain)] == '\0';
}

/* What stands for the character within single quotes, NULL: itself. */
static const char *escape_of(enum env_shell shell, char character)
{
	switch (character) {
	case '\'':
		return shell == ENV_FISH ? "\\'" : "'\\''";
	case '\\':
		return shell == ENV_FISH ? "\\\\" : NULL;
	case '!': /* recalls a command, in quotes too */
		return shell == ENV_CSH ? "\\!" : NULL;
	case '\n':
		return shell == ENV_CSH ? "\\\n" : NULL;
	default:
		return NULL;
	}
}

char *shell_quote(enum env_shell shell, const char *word)
{
	AUTO(buf)
	quoted = {0};

	if (is_plain(word))
		return strdup(word);
	buf_put_u8(&quoted, '\'');
	for (; *word != '\0'; word++) {
		const char *escape = escape_of(shell, *word);

		if (escape != NULL)
			buf_put(&quoted, bytes_of(escape));
		else
			buf_put_u8(&quoted, (uint8_t)*word);
	}
	buf_put_u8(&quoted, '\'');
	if (buf_status(&quoted) != KS_OK)
		return NULL;
	return strndup((const char *)quoted.data, quoted.len);
}
