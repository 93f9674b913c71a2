/*
 * The words of a configuration file, as keystile.conf(5) has them: a smaller language than
 * libconfuse's, on purpose. What libconfuse would expand, include, drop without a word or read in
 * two ways is an error here, so that both always see the same file.
 */
#ifndef KEYSTILE_AGENT_CONFIG_TOKEN_H
#define KEYSTILE_AGENT_CONFIG_TOKEN_H

#include <keystile/buffer.h>

enum config_token_kind {
	CONFIG_TOKEN_END,
	CONFIG_TOKEN_WORD,   /* not in quotes */
	CONFIG_TOKEN_STRING, /* in quotes of either kind */
	CONFIG_TOKEN_SIGN,   /* one of = { } ( ) , */
	CONFIG_TOKEN_APPEND, /* += */
	CONFIG_TOKEN_WRONG,  /* see the tokeniser's wrong */
};

struct config_token {
	enum config_token_kind kind;
	struct bytes
		text;  /* borrowed; of a string what is between its quotes, escapes as they are */
	unsigned line; /* where it begins, from 1 */
};

struct config_tokeniser {
	struct bytes text; /* borrowed */
	size_t at;
	unsigned line;
	const char *wrong; /* static words once a token was CONFIG_TOKEN_WRONG */
	uint8_t *blank;	   /* NULL or a copy of text, in which comments become blanks */
};

/*
 * The next token; after the end or a wrong one the same again. Words are made of letters, digits
 * and
 * "_-./:@%"; strings end on their line, and a backslash in one stands before a quote or a
 * backslash.
 */
struct config_token config_token_next(struct config_tokeniser *tokeniser);

#endif
