/*
 * The audit log: what was asked of the agent, by whom, and how it was answered; one line of JSON
 * for each request (docs/audit.schema.json). A record begins when a message is whole, gathers facts
 * on the request's way, and ends with the answer or with the client's leaving, so that a handler
 * can leave out a fact but never the line. It holds no secret: what is not handed to these
 * functions is not in it.
 *
 * All of them do nothing where connection is NULL or nothing is to be recorded.
 */
#ifndef AGENT_AUDIT_H
#define AGENT_AUDIT_H

#include <jansson.h>

#include "audit_log.h"
#include "message.h"

struct agent;
struct audit_record;
struct connection;
struct token;

/* Of the agent. */
struct audit {
	struct audit_log *log; /* NULL until the first line */
	/* Refused remote requests that may still be written now; see audit.c. */
	unsigned remote_left;
	uint64_t remote_since_ms;
};

/* The message at hand is whole. */
void audit_begin(struct connection *connection, uint8_t type);
/* What an extension turned out to be: "bind", "query"; static. */
void audit_request(struct connection *connection, const char *name);
/* Why it was answered as it was; copied, the last one counts. Foreign text in it is quoted. */
void audit_reason(struct connection *connection, const char *words);
/* comment may be NULL. */
void audit_key(struct connection *connection, struct bytes blob, const char *comment);
void audit_token(struct connection *connection, const struct token *token);
void audit_provider(struct connection *connection, const char *given);
/* The answer is about to leave. */
void audit_answered(struct connection *connection, uint8_t answer);
/* The client has gone. */
void audit_abandoned(struct connection *connection);

/* Lines that could not be written, or were too many of one kind. */
uint64_t audit_lost(const struct agent *agent);
/* Writes what is left. */
void audit_deinit(struct agent *agent);

/* ---- For audit_sign.c ---- */

/* Takes value; NULL marks the record as incomplete. */
void audit_set(struct connection *connection, const char *name, json_t *value);
/* Adds to the list of who saw a person: what was given, and by whose word. Static texts. */
void audit_attest(struct connection *connection, const char *what, const char *attested_by);
/*
 * Foreign text as prompts show it: printable ASCII, all else as \xHH, a backslash before quotes and
 * backslashes, the first 64 characters and "..." behind them.
 */
json_t *audit_text(struct bytes text);
/* "SHA256:..." of a blob. */
json_t *audit_fingerprint(struct bytes blob);

#endif
