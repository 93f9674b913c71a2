/*
 * Walks through a configuration file statement by statement (option = value, option = {list},
 * section title {...}) and remembers what was given, and where. Whether an option exists and what
 * its value may be is left to libconfuse and config_parse.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/backends.h>

#include "config_check.h"
#include "config_listener.h"
#include "config_provider.h"
#include "config_token.h"
#include "policy_rule.h"

#define STATEMENTS_MAX 1000 /* finding duplicates takes time by its square */
#define NAME_SHOWN 32

struct statement {
	struct bytes name;
	struct bytes title; /* of a section, else empty */
	unsigned section;   /* number of the section it stands in, 0 outside */
	unsigned line;
};

struct check {
	struct config_tokeniser tokeniser;
	struct config_flaw *flaw;
	struct statement *statements;
	size_t count;
	struct statement section; /* the one that is open; line 0: none */
	unsigned sections;	  /* opened so far */
};

static enum ks_error flawed(struct check *check, unsigned line, const char *format, ...)
	KS_PRINTF(3, 4);

static enum ks_error flawed(struct check *check, unsigned line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(check->flaw->words, sizeof(check->flaw->words), format, arguments);
	va_end(arguments);
	check->flaw->line = line;
	return KS_BAD_INPUT;
}

static int shown(struct bytes name)
{
	return name.len > NAME_SHOWN ? NAME_SHOWN : (int)name.len;
}

static bool is_sign(const struct config_token *token, char sign)
{
	return token->kind == CONFIG_TOKEN_SIGN && token->text.data[0] == (uint8_t)sign;
}

static bool is_text(const struct config_token *token)
{
	return token->kind == CONFIG_TOKEN_WORD || token->kind == CONFIG_TOKEN_STRING;
}

/* The words for a token that has no place where it stands; expected says what has. */
static enum ks_error misplaced(
	struct check *check, const struct config_token *token, const char *expected)
{
	if (token->kind == CONFIG_TOKEN_WRONG)
		return flawed(check, token->line, "%s", check->tokeniser.wrong);
	if (token->kind == CONFIG_TOKEN_END)
		return flawed(check, token->line, "the file ends where %s is expected", expected);
	return flawed(check, token->line, "\"%.*s\" where %s is expected", shown(token->text),
		(const char *)token->text.data, expected);
}

static bool is_name(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];

		if ((byte < 'a' || byte > 'z') && (byte < '0' || byte > '9') && byte != '-')
			return false;
	}
	return text.len > 0;
}

/* Remembers a statement; again says that an earlier one of its kind does not matter. */
static enum ks_error remember(struct check *check, const struct statement *statement, bool again)
{
	for (size_t i = 0; i < check->count && !again; i++) {
		const struct statement *earlier = &check->statements[i];

		if (earlier->section == statement->section &&
			bytes_equal(earlier->name, statement->name) &&
			bytes_equal(earlier->title, statement->title))
			return flawed(check, statement->line,
				"\"%.*s%s%.*s\" stands in line %u already", shown(statement->name),
				(const char *)statement->name.data,
				statement->title.len > 0 ? " " : "", shown(statement->title),
				(const char *)statement->title.data, earlier->line);
	}
	if (check->count == STATEMENTS_MAX)
		return flawed(check, statement->line, "more than %d options", STATEMENTS_MAX);
	check->statements[check->count++] = *statement;
	return KS_OK;
}

/* What follows the brace of a list, its own closing brace included. */
static enum ks_error check_list(struct check *check, unsigned begun)
{
	struct config_token token = config_token_next(&check->tokeniser);

	while (is_text(&token)) {
		token = config_token_next(&check->tokeniser);
		if (!is_sign(&token, ','))
			break;
		token = config_token_next(&check->tokeniser);
	}
	if (token.kind == CONFIG_TOKEN_END)
		return flawed(check, begun, "the list that begins here is never closed");
	return is_sign(&token, '}') ? KS_OK : misplaced(check, &token, "a value, \",\" or \"}\"");
}

static enum ks_error check_value(struct check *check)
{
	struct config_token token = config_token_next(&check->tokeniser);

	if (is_sign(&token, '{'))
		return check_list(check, token.line);
	return is_text(&token) ? KS_OK : misplaced(check, &token, "a value");
}

static bool is_backend(struct bytes name)
{
	for (size_t i = 0; ks_backends[i] != NULL; i++) {
		if (bytes_equal_text(name, ks_backends[i]->name))
			return true;
	}
	return false;
}

static enum ks_error open_section(struct check *check, struct statement *statement)
{
	if (check->section.line > 0)
		return flawed(check, statement->line, "a section inside a section");
	if (bytes_equal_text(statement->name, "worker") && statement->title.len > 0 &&
		!is_backend(statement->title))
		return flawed(check, statement->line, "worker: this build has no backend \"%.*s\"",
			shown(statement->title), (const char *)statement->title.data);

	if (bytes_equal_text(statement->name, "listener") &&
		!config_listener_name_fits(statement->title))
		return flawed(check, statement->line,
			"a listener has a name of its own of at most %d characters, other than "
			"agent, remote and control",
			CONFIG_LISTENER_NAME_MAX);
	if (bytes_equal_text(statement->name, "provider") &&
		(statement->title.len == 0 || statement->title.len > CONFIG_PROVIDER_NAME_MAX))
		return flawed(check, statement->line,
			"a provider has a name of at most %d characters", CONFIG_PROVIDER_NAME_MAX);
	if (bytes_equal_text(statement->name, "rule") && statement->title.len > POLICY_NAME_MAX)
		return flawed(check, statement->line,
			"the name of a rule has at most %d characters", POLICY_NAME_MAX);

	enum ks_error error = remember(check, statement, false);

	check->section = *statement;
	check->sections++;
	return error;
}

/* What follows a name: "= value", "+= value", "{" or "title {". */
static enum ks_error check_statement(struct check *check, const struct config_token *name)
{
	struct statement statement = {
		.name = name->text,
		.section = check->section.line > 0 ? check->sections : 0,
		.line = name->line,
	};
	struct config_token token = config_token_next(&check->tokeniser);

	if (is_sign(&token, '(') || bytes_equal_text(name->text, "include"))
		return flawed(check, name->line, "other files can't be included");
	if (is_sign(&token, '=') || token.kind == CONFIG_TOKEN_APPEND) {
		enum ks_error error =
			remember(check, &statement, token.kind == CONFIG_TOKEN_APPEND);

		return error != KS_OK ? error : check_value(check);
	}
	if (is_text(&token)) {
		if (!is_name(token.text))
			return misplaced(check, &token, "a name of a-z, 0-9 and \"-\"");
		statement.title = token.text;
		token = config_token_next(&check->tokeniser);
	}
	if (!is_sign(&token, '{'))
		return misplaced(
			check, &token, statement.title.len > 0 ? "\"{\"" : "\"=\" or \"{\"");
	return open_section(check, &statement);
}

static enum ks_error check_all(struct check *check)
{
	for (;;) {
		struct config_token token = config_token_next(&check->tokeniser);
		enum ks_error error = KS_OK;

		if (token.kind == CONFIG_TOKEN_END && check->section.line > 0)
			return flawed(check, check->section.line,
				"the section that begins here is never closed");
		if (token.kind == CONFIG_TOKEN_END)
			return KS_OK;
		if (is_sign(&token, '}') && check->section.line > 0)
			check->section.line = 0;
		else if (token.kind == CONFIG_TOKEN_WORD && is_name(token.text))
			error = check_statement(check, &token);
		else
			error = misplaced(check, &token, "the name of an option");
		if (error != KS_OK)
			return error;
	}
}

enum ks_error config_check(struct bytes text, struct buf *cleaned, struct config_flaw *flaw)
{
	struct check check = {.flaw = flaw};

	buf_put(cleaned, text);
	check.statements = calloc(STATEMENTS_MAX, sizeof(*check.statements));
	if (check.statements == NULL || buf_status(cleaned) != KS_OK) {
		free(check.statements);
		return KS_NO_MEMORY;
	}
	check.tokeniser = (struct config_tokeniser){
		.text = text,
		.line = 1,
		.blank = cleaned->data,
	};

	enum ks_error error = check_all(&check);

	free(check.statements);
	return error;
}
