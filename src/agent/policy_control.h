/*
 * What `keystile policy` asks of the agent over the control socket (docs/PROTOCOL.md): the rules in
 * force, and which of them would decide over a request that somebody describes.
 */
#ifndef AGENT_POLICY_CONTROL_H
#define AGENT_POLICY_CONTROL_H

#include <jansson.h>

struct agent;

/* Answers, with "ok"; NULL when out of memory. */
json_t *policy_show_json(const struct agent *agent);
json_t *policy_test_json(struct agent *agent, const json_t *request);

#endif
