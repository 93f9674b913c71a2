/*
 * When signatures with the tokens of a worker ended: a finger may still be on its way for one, and
 * must not be taken for what a remote request wants (DESIGN: presence). Each token has its own
 * time, so that nobody waits because of a touch on another one.
 */
#ifndef AGENT_QUIET_H
#define AGENT_QUIET_H

#include <stdint.h>

#define QUIET_TOKENS 16 /* more are counted as one */

/* When the last one ended with this token. */
struct quiet_token {
	uint32_t id; /* 0: a free place */
	uint64_t ended_ms;
};

struct quiet {
	uint64_t any_ms; /* of those that may have been with any token */
	struct quiet_token tokens[QUIET_TOKENS];
};

/* Token 0, here and below: it is not known which one, so it may be each of them. */
void quiet_note(struct quiet *quiet, uint32_t token, uint64_t now_ms);
/* It was pulled: put in again it has another number. */
void quiet_gone(struct quiet *quiet, uint32_t token);
/* When the last one ended that may have been with that token. */
uint64_t quiet_since_ms(const struct quiet *quiet, uint32_t token);

#endif
