/*
 * Cuts a configuration file into words, strings and signs, with the line of each. It knows the
 * comments of libconfuse (#, // and those of C) and blanks them out for it.
 */
#include <string.h>

#include "config_token.h"

static int peek(const struct config_tokeniser *tokeniser, size_t ahead)
{
	size_t left = tokeniser->text.len - tokeniser->at;

	return ahead < left ? tokeniser->text.data[tokeniser->at + ahead] : -1;
}

static bool is_word_byte(int byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || (byte > 0 && strchr("_-./:@%", byte) != NULL);
}

static const char *control_words(int byte)
{
	if (byte == '\r')
		return "carriage return: save the file with Unix line ends";
	if ((byte >= 0 && byte < ' ' && byte != '\t' && byte != '\n') || byte == 0x7f)
		return "control character";
	return NULL;
}

static struct config_token wrong(struct config_tokeniser *tokeniser, const char *words)
{
	tokeniser->wrong = words;
	return (struct config_token){.kind = CONFIG_TOKEN_WRONG, .line = tokeniser->line};
}

/* Passes one byte of a comment or of blank space. */
static void pass_blank(struct config_tokeniser *tokeniser)
{
	if (peek(tokeniser, 0) == '\n')
		tokeniser->line++;
	else if (tokeniser->blank != NULL)
		tokeniser->blank[tokeniser->at] = ' ';
	tokeniser->at++;
}

static void pass_line_comment(struct config_tokeniser *tokeniser)
{
	int byte = peek(tokeniser, 0);

	while (byte >= 0 && byte != '\n' && control_words(byte) == NULL) {
		pass_blank(tokeniser);
		byte = peek(tokeniser, 0);
	}
}

static bool pass_block_comment(struct config_tokeniser *tokeniser)
{
	unsigned begun = tokeniser->line;

	pass_blank(tokeniser);
	pass_blank(tokeniser);
	while (peek(tokeniser, 0) != '*' || peek(tokeniser, 1) != '/') {
		tokeniser->wrong = control_words(peek(tokeniser, 0));
		if (peek(tokeniser, 0) < 0) {
			tokeniser->line = begun;
			tokeniser->wrong = "the comment that begins here is never closed";
		}
		if (tokeniser->wrong != NULL)
			return false;
		pass_blank(tokeniser);
	}
	pass_blank(tokeniser);
	pass_blank(tokeniser);
	return true;
}

/* To the next byte that is neither blank nor comment; false where a comment is wrong. */
static bool pass_blanks(struct config_tokeniser *tokeniser)
{
	for (;;) {
		int byte = peek(tokeniser, 0);

		if (byte == ' ' || byte == '\t' || byte == '\n')
			pass_blank(tokeniser);
		else if (byte == '#' || (byte == '/' && peek(tokeniser, 1) == '/'))
			pass_line_comment(tokeniser);
		else if (byte != '/' || peek(tokeniser, 1) != '*')
			return true;
		else if (!pass_block_comment(tokeniser))
			return false;
	}
}

static struct config_token take(
	struct config_tokeniser *tokeniser, enum config_token_kind kind, size_t len)
{
	struct bytes text = BYTES(tokeniser->text.data + tokeniser->at, len);

	tokeniser->at += len;
	return (struct config_token){.kind = kind, .text = text, .line = tokeniser->line};
}

static struct config_token take_word(struct config_tokeniser *tokeniser)
{
	size_t len = 0;

	while (is_word_byte(peek(tokeniser, len))) {
		int next = peek(tokeniser, len + 1);

		if (peek(tokeniser, len) == '/' && (next == '/' || next == '*'))
			return wrong(tokeniser, "text with // or /* in it must be in quotes");
		len++;
	}
	return take(tokeniser, CONFIG_TOKEN_WORD, len);
}

/* What is wrong with the byte of a string that stands ahead, NULL if nothing. */
static const char *string_flaw(const struct config_tokeniser *tokeniser, int quote, size_t ahead)
{
	int byte = peek(tokeniser, ahead);
	int next = peek(tokeniser, ahead + 1);

	if (byte < 0 || byte == '\n')
		return "the string is not closed in its line";
	if (byte == '\\' && next != quote && next != '\\')
		return "a backslash stands only before a quote or another backslash";
	if (byte == '$' && next == '{' && quote == '"')
		return "${...} is not expanded here; text that means it goes in single quotes";
	return control_words(byte);
}

static struct config_token take_string(struct config_tokeniser *tokeniser)
{
	int quote = peek(tokeniser, 0);
	size_t len = 1;

	while (peek(tokeniser, len) != quote) {
		const char *flaw = string_flaw(tokeniser, quote, len);

		if (flaw != NULL)
			return wrong(tokeniser, flaw);
		len += peek(tokeniser, len) == '\\' ? 2 : 1;
	}

	struct config_token token = take(tokeniser, CONFIG_TOKEN_STRING, len + 1);

	token.text = BYTES(token.text.data + 1, token.text.len - 2);
	return token;
}

struct config_token config_token_next(struct config_tokeniser *tokeniser)
{
	if (tokeniser->wrong != NULL || !pass_blanks(tokeniser))
		return wrong(tokeniser, tokeniser->wrong);

	int byte = peek(tokeniser, 0);

	if (byte < 0)
		return take(tokeniser, CONFIG_TOKEN_END, 0);
	if (byte == '"' || byte == '\'')
		return take_string(tokeniser);
	if (byte == '+' && peek(tokeniser, 1) == '=')
		return take(tokeniser, CONFIG_TOKEN_APPEND, 2);
	if (byte > 0 && strchr("={}(),", byte) != NULL)
		return take(tokeniser, CONFIG_TOKEN_SIGN, 1);
	if (is_word_byte(byte))
		return take_word(tokeniser);
	if (byte == '$' && peek(tokeniser, 1) == '{')
		return wrong(tokeniser, "${...} is not expanded here");
	if (control_words(byte) != NULL)
		return wrong(tokeniser, control_words(byte));
	return wrong(
		tokeniser, "unexpected character: text with such characters must be in quotes");
}
