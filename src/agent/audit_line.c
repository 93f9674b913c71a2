/*
 * From a record to its line: to what was gathered comes what the connection is by now.
 */
#include "audit_line.h"

#include <unistd.h>

#include "agent.h"
#include "audit_process.h"
#include "connection.h"
#include "known_hosts.h"
#include "listener.h"

#define NAMES_MAX 4 /* of one host */

const char *audit_answer_name(uint8_t answer)
{
	switch (answer) {
	case MESSAGE_FAILURE:
	case MESSAGE_EXTENSION_FAILURE:
		return "refused";
	case MESSAGE_SIGN_REPLY:
		return "signed";
	case 0:
		return "none";
	default:
		return "done";
	}
}

static json_t *names_json(const struct agent *agent, const struct session_bind *bind)
{
	struct host_names hosts = known_hosts_names(agent->known_hosts, bind, NULL);
	json_t *names = json_array();

	for (size_t i = 0; i < hosts.count && i < NAMES_MAX; i++)
		json_array_append_new(names, audit_text(bytes_of(hosts.names[i])));
	host_names_deinit(&hosts);
	return names;
}

/* Names are as known_hosts had them when it was read last, for this signature or before. */
static json_t *path_json(const struct connection *connection)
{
	json_t *path = json_array();

	for (size_t i = 0; i < connection->binds.count; i++) {
		const struct session_bind *bind = &connection->binds.records[i];

		json_array_append_new(path,
			json_pack("{s:o,s:b,s:o}", "host_key",
				audit_fingerprint(buf_bytes(&bind->host_key)), "forwarding",
				bind->forwarding, "names", names_json(connection->agent, bind)));
	}
	return path;
}

/* What every line has, in the order in which a person wants to read it. */
static json_t *line_json(struct connection *connection, struct audit_record *record, uint8_t answer)
{
	const struct origin *origin = &connection->origin;
	uint64_t took_ms = (uv_hrtime() - record->begun_ns) / 1000000;
	char when[AUDIT_TIME_MAX];
	json_t *line;

	audit_log_time(&record->when, when);
	if (record->process == NULL)
		record->process = audit_process(&connection->peer, false);
	line = json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:I,s:{s:s,s:s,s:s,s:o},s:o}", "time", when,
		"agent", (int)getpid(), "event", "request", "request", record->name, "answer",
		audit_answer_name(answer), "reason", record->reason, "connection",
		(json_int_t)connection->id, "origin", "is",
		origin_remote(origin) ? "remote" : "local", "rule", origin_name(origin->rule),
		"words", origin_words(origin->rule), "listener",
		audit_text(bytes_of(connection->listener->name)), "path", path_json(connection));
	if (json_object_update(line, record->facts) != 0 ||
		json_object_set(line, "presence", record->presence) != 0 ||
		json_object_set(line, "process", record->process) != 0 ||
		json_object_set_new(line, "duration_ms", json_integer((json_int_t)took_ms)) != 0)
		record->failed = true;
	return line;
}

char *audit_line(struct connection *connection, struct audit_record *record, uint8_t answer)
{
	json_t *line = line_json(connection, record, answer);
	char *text = NULL;

	if (!record->failed)
		text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(line);
	return text;
}
