/*
 * What is gathered of a request for the audit log, and the line that it becomes: the order of its
 * fields is what a person wants to read first (docs/audit.schema.json).
 */
#ifndef AGENT_AUDIT_LINE_H
#define AGENT_AUDIT_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define AUDIT_REASON_MAX 1100 /* TEXT_WORDS_MAX and the words before it */

struct connection;

struct audit_record {
	uint8_t type;
	const char *name;
	struct timespec when;
	uint64_t begun_ns;
	json_t *facts;
	json_t *presence;
	json_t *process;
	char reason[AUDIT_REASON_MAX];
	bool failed;
};

/* "refused", "signed", "done"; "none" for 0, which is no answer. */
const char *audit_answer_name(uint8_t answer);
/* The caller's; NULL: the record is incomplete, or out of memory. */
char *audit_line(struct connection *connection, struct audit_record *record, uint8_t answer);

#endif
