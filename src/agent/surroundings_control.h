/*
 * What `keystile env --update` tells the agent of the person's session, and what status says of how
 * people are asked (docs/PROTOCOL.md).
 */
#ifndef AGENT_SURROUNDINGS_CONTROL_H
#define AGENT_SURROUNDINGS_CONTROL_H

#include <jansson.h>

struct agent;

/* Answers, with "ok"; NULL when out of memory. */
json_t *surroundings_update_json(struct agent *agent, const json_t *request);
/* By what way people would be asked now, and where the display comes from. */
json_t *surroundings_asking_json(const struct agent *agent);

#endif
