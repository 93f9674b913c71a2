/*
 * What the agent knows of itself, as JSON for `keystile status` (docs/PROTOCOL.md has the
 * schema). Text of strangers stands in it as it came, made valid UTF-8; who shows it escapes it.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include "foreign_text.h"

struct agent;

/* A new reference, NULL when out of memory. */
json_t *status_json(const struct agent *agent);

#endif
