/*
 * The keys in the agent's status: those that it offers, and those that it knows and keeps back.
 */
#ifndef AGENT_STATUS_KEYS_H
#define AGENT_STATUS_KEYS_H

#include <stdint.h>

#include <jansson.h>

struct agent;

/* In the order in which they are listed. */
json_t *status_keys_json(const struct agent *agent);
/* Keys of tokens that rules keep back, and certificates that are out of date; with the reason. */
json_t *status_withheld_json(const struct agent *agent);
/* A time as status has it, in UTC; seconds since 1970, at most KS_TIME_MAX. */
json_t *status_time_json(uint64_t seconds);

/* "valid", "expired" or "not yet valid", at the moment; static. */
const char *status_validity(uint64_t from, uint64_t to);

#endif
