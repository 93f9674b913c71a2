/*
 * What a prompt says: which token and key, for what, to where as far as that is proven, by
 * whom and through which hosts. Each foreign text stands on a line of its own, quoted.
 */
#ifndef AGENT_PROMPT_TEXT_H
#define AGENT_PROMPT_TEXT_H

#include "host_names.h"
#include "keyring.h"
#include "origin.h"
#include "parents.h"
#include "session_bind.h"
#include "subject.h"

struct prompt_facts {
	enum {
		PROMPT_FOR_PIN,
		PROMPT_FOR_CONFIRM,
		PROMPT_FOR_TOUCH,
		PROMPT_FOR_INSERTION,
		PROMPT_FOR_UNLOCK
	} what;
	const struct token *token; /* NULL: to unlock the agent, where none is meant */
	const struct key *key;
	const struct subject *subject;
	const struct origin *origin;
	const struct peer *peer;
	const struct parents *parents; /* NULL: they are not told */
	const struct session_binds *binds;
	const struct host_names *hosts; /* of each bind, in their order; NULL: nothing is known */
	int32_t tries_left;		/* or KS_TRIES_UNKNOWN */
	bool last_tries;		/* the token says that few are left */
	bool retry;			/* the PIN before was wrong */
	unsigned wrong_before;		/* passwords, since the agent was locked */
	const char *listener;		/* that it came by; NULL: one that every agent has */
	bool end_refuses;		/* a touch is asked for only as long as this is shown */
};

/* A destination is proven when the data itself names the last bound host's key. */
bool destination_proven(const struct subject *subject, const struct session_binds *binds);
/* The caller frees it; NULL when out of memory. */
char *prompt_text(const struct prompt_facts *facts);
/* What went wrong before this question, one line, empty for nothing; the caller frees it. */
char *prompt_trouble(const struct prompt_facts *facts);
/* One line, "login as "root"", for status and log; the caller frees it. */
char *subject_text(const struct subject *subject);

#endif
