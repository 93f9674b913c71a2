/*
 * A token as the agent remembers it, across restarts of its worker.
 */
#include <stdlib.h>
#include <string.h>

#include "keyring.h"
#include "provider.h"
#include "token_card.h"
#include "token_report.h"

void token_free(struct token *token)
{
	free(token->label);
	free(token->serial);
	free(token->model);
	free(token->location);
	token_report_free(&token->report);
	token_card_free(&token->card);
	free(token);
}

static bool same(const char *known, const char *reported)
{
	return strcmp(known, reported != NULL ? reported : "") == 0;
}

bool token_same(const struct token *token, const struct ks_token *reported)
{
	return same(token->label, reported->label) && same(token->serial, reported->serial) &&
	       same(token->model, reported->model);
}

static bool replace(char **text, const char *by)
{
	char *copy = strdup(by != NULL ? by : "");

	if (copy == NULL)
		return false;
	free(*text);
	*text = copy;
	return true;
}

enum ks_error token_update(struct token *token, const struct ks_token *reported)
{
	if (!replace(&token->label, reported->label) ||
		!replace(&token->serial, reported->serial) ||
		!replace(&token->model, reported->model) ||
		!replace(&token->location, reported->location))
		return KS_NO_MEMORY;
	token->id = reported->id;
	token->flags = reported->flags;
	token->tries_left = reported->tries_left;
	token->unconfirmed = false;
	token->absent = false;
	return KS_OK;
}

bool token_takes_keys(const struct token *token)
{
	return token->provider->needs->takes_keys && token == token->provider->tokens;
}
