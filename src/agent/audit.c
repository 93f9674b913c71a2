/*
 * See audit.h. A record is JSON from the start: what is borrowed from a message is gone when the
 * answer leaves.
 */
#include "audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "audit_line.h"
#include "audit_process.h"
#include "connection.h"
#include "provider.h"

/*
 * A far host may ask for what is refused as fast as it likes, and must not push everything else out
 * of a file of limited size: so many of its refusals are written in a row, then one a second.
 */
#define REMOTE_IN_A_ROW 1000
#define REMOTE_AGAIN_MS 1000

/* ---- Texts ---- */

/* What text_quote() made, without its quotes: JSON has its own. */
static json_t *without_quotes(char *quoted)
{
	char *end = strrchr(quoted, '"');
	bool cut = end[1] != '\0';

	*end = '\0';
	return json_pack("s+", quoted + 1, cut ? "..." : "");
}

json_t *audit_text(struct bytes text)
{
	char quoted[TEXT_QUOTED_MAX];

	text_quote(text, quoted);
	return without_quotes(quoted);
}

json_t *audit_path(struct bytes text)
{
	char quoted[TEXT_WORDS_MAX];

	text_quote_words(text, quoted);
	return without_quotes(quoted);
}

json_t *audit_fingerprint(struct bytes blob)
{
	AUTO(text) fingerprint = public_key_fingerprint(blob);

	return fingerprint == NULL ? NULL : json_string(fingerprint);
}

/* ---- The facts ---- */

static struct audit_record *record_of(const struct connection *connection)
{
	return connection == NULL ? NULL : connection->audit;
}

void audit_set(struct connection *connection, const char *name, json_t *value)
{
	struct audit_record *record = record_of(connection);

	if (record == NULL)
		json_decref(value);
	else if (json_object_set_new(record->facts, name, value) != 0)
		record->failed = true;
}

void audit_request(struct connection *connection, const char *name)
{
	if (record_of(connection) != NULL)
		connection->audit->name = name;
}

void audit_reason(struct connection *connection, const char *words)
{
	struct audit_record *record = record_of(connection);

	if (record == NULL)
		return;
	snprintf(record->reason, AUDIT_REASON_MAX, "%s", words);
	/* It should be clean, but one byte that is not UTF-8 would cost the line. */
	for (char *at = record->reason; *at != '\0'; at++)
		if (*at < 0x20 || *at > 0x7e)
			*at = '?';
}

void audit_attest(struct connection *connection, const char *what, const char *attested_by)
{
	struct audit_record *record = record_of(connection);

	if (record != NULL &&
		json_array_append_new(record->presence,
			json_pack("{s:s,s:s}", "what", what, "attested_by", attested_by)) != 0)
		record->failed = true;
}

void audit_key(struct connection *connection, struct bytes blob, const char *comment)
{
	json_t *key = NULL;

	if (record_of(connection) == NULL)
		return;
	key = json_pack("{s:o}", "fingerprint", audit_fingerprint(blob));
	if (comment != NULL && json_object_set_new(key, "comment", audit_text(bytes_of(comment))))
		connection->audit->failed = true;
	audit_set(connection, "key", key);
}

void audit_token(struct connection *connection, const struct token *token)
{
	if (record_of(connection) == NULL)
		return;
	audit_set(connection, "token",
		json_pack("{s:o,s:o,s:o}", "label", audit_text(bytes_of(token->label)), "serial",
			audit_text(bytes_of(token->serial)), "provider",
			audit_path(bytes_of(token->provider->name))));
}

void audit_provider(struct connection *connection, const char *given)
{
	if (record_of(connection) != NULL)
		audit_set(connection, "provider", audit_path(provider_shown(given)));
}

/* ---- Beginning ---- */

static const char *name_of(uint8_t type)
{
	static const char *const names[] = {
		[MESSAGE_REMOVE_ALL_V1] = "remove-all-keys",
		[MESSAGE_LIST] = "list",
		[MESSAGE_SIGN] = "sign",
		[MESSAGE_ADD] = "add-key",
		[MESSAGE_REMOVE] = "remove-key",
		[MESSAGE_REMOVE_ALL] = "remove-all-keys",
		[MESSAGE_ADD_TOKEN] = "add-provider",
		[MESSAGE_REMOVE_TOKEN] = "remove-provider",
		[MESSAGE_LOCK] = "lock",
		[MESSAGE_UNLOCK] = "unlock",
		[MESSAGE_ADD_CONSTRAINED] = "add-key",
		[MESSAGE_ADD_TOKEN_CONSTRAINED] = "add-provider",
		[MESSAGE_EXTENSION] = "extension",
	};
	const char *name = type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;

	return name != NULL ? name : "unknown";
}

/* Lists, binds and questions for extensions, which change nothing, come all the time. */
static bool is_quiet(uint8_t type)
{
	return type == MESSAGE_LIST || type == MESSAGE_EXTENSION;
}

static void record_free(struct audit_record *record)
{
	json_decref(record->facts);
	json_decref(record->presence);
	json_decref(record->process);
	free(record);
}

void audit_begin(struct connection *connection, uint8_t type)
{
	const struct config *config = &connection->agent->config;
	struct audit_record *record;

	if (config->audit == CONFIG_AUDIT_OFF || connection->audit != NULL)
		return;
	record = calloc(1, sizeof(*record));
	if (record == NULL) {
		log_warning("a request is not in the audit log: out of memory");
		return;
	}
	clock_gettime(CLOCK_REALTIME, &record->when);
	record->type = type;
	record->name = name_of(type);
	record->begun_ns = uv_hrtime();
	record->facts = json_object();
	record->presence = json_array();
	record->failed = record->facts == NULL || record->presence == NULL;
	/* Now, while it certainly is there. */
	if (!is_quiet(type))
		record->process = audit_process(&connection->peer, true);
	connection->audit = record;
	if (record->name[0] == 'u' && strcmp(record->name, "unknown") == 0)
		audit_set(connection, "message", json_integer(type));
}

/* ---- Ending ---- */

/* False: there were too many like this one. */
static bool has_place(struct agent *agent, const struct connection *connection, uint8_t answer)
{
	struct audit *audit = &agent->audit;
	uint64_t now = uv_now(&agent->loop);
	uint64_t again = (now - audit->remote_since_ms) / REMOTE_AGAIN_MS;

	if (strcmp(audit_answer_name(answer), "refused") != 0 ||
		!origin_remote(&connection->origin))
		return true;
	if (audit->remote_since_ms == 0 || audit->remote_left + again > REMOTE_IN_A_ROW)
		audit->remote_left = REMOTE_IN_A_ROW;
	else
		audit->remote_left += (unsigned)again;
	if (again > 0)
		audit->remote_since_ms = now;
	if (audit->remote_left == 0)
		return false;
	audit->remote_left--;
	return true;
}

static bool is_written(
	const struct config *config, const struct audit_record *record, uint8_t answer)
{
	return config->audit != CONFIG_AUDIT_OFF &&
	       (config->audit_all || !is_quiet(record->type) ||
		       strcmp(audit_answer_name(answer), "refused") == 0);
}

static void write_line(struct connection *connection, struct audit_record *record, uint8_t answer)
{
	struct agent *agent = connection->agent;
	struct audit *audit = &agent->audit;

	if (audit->log == NULL)
		audit->log = audit_log_new();
	if (audit->log == NULL)
		log_warning("a request is not in the audit log: out of memory");
	else if (has_place(agent, connection, answer))
		audit_log_put(audit->log, &agent->config, audit_line(connection, record, answer));
	else
		audit_log_leave_out(audit->log);
}

void audit_answered(struct connection *connection, uint8_t answer)
{
	struct audit_record *record = record_of(connection);

	if (record == NULL)
		return;
	connection->audit = NULL;
	if (answer == MESSAGE_FAILURE && record->reason[0] == '\0')
		snprintf(record->reason, sizeof(record->reason), "%s",
			"malformed, or asks for what is not there or not known");
	if (is_written(&connection->agent->config, record, answer))
		write_line(connection, record, answer);
	record_free(record);
}

void audit_abandoned(struct connection *connection)
{
	audit_reason(connection, "the client went away");
	audit_answered(connection, 0);
}

uint64_t audit_lost(const struct agent *agent)
{
	return agent->audit.log == NULL ? 0 : audit_log_lost(agent->audit.log);
}

void audit_deinit(struct agent *agent)
{
	audit_log_close(agent->audit.log);
	agent->audit.log = NULL;
}
