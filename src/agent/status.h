/*
 * What the agent knows of itself, as JSON for `keystile status` (docs/PROTOCOL.md has the
 * schema). Text of strangers stands in it as it came, made valid UTF-8; who shows it escapes it.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <jansson.h>

struct agent;

/*
 * A string of a text that may not be UTF-8, which jansson refuses: tokens and clients write what
 * they like. A new reference, NULL when out of memory.
 */
json_t *foreign_text(const char *text);
/* A new reference, NULL when out of memory. */
json_t *status_json(const struct agent *agent);

#endif
