/*
 * What a worker said last of a token's keys, offered or not: so that rules which are read anew and
 * certificates that are renewed need no word from the token, and status can show the rest.
 */
#ifndef AGENT_TOKEN_REPORT_H
#define AGENT_TOKEN_REPORT_H

#include <keystile/backend.h>

struct token_report {
	struct ks_key *keys; /* all of them, with what they point to, are the report's */
	size_t count;
	size_t left_out; /* keys that were too many */
};

/* A copy of the first keys, as many as a provider may offer. NULL when out of memory. */
struct token_report *token_report_new(const struct ks_key *keys, size_t count);
void token_report_free(struct token_report **report);
/* NULL: it has no such key. Borrowed; report may be NULL. */
const struct ks_key *token_report_find(const struct token_report *report, struct bytes blob);

#endif
