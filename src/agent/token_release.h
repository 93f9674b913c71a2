/*
 * `keystile release`: every token, or the one that is named, is given back, so that other programs
 * have it. Workers log out and close what they hold; keys stay listed, and the next signature logs
 * in again.
 */
#ifndef AGENT_TOKEN_RELEASE_H
#define AGENT_TOKEN_RELEASE_H

#include <jansson.h>

struct agent;
struct control;
struct token_release;

/*
 * Starts it for the control connection that asked with this request, which control_released() tells
 * of the end. NULL when out of memory.
 */
struct token_release *token_release_start(
	struct agent *agent, struct control *control, const json_t *request);
/* Who asked has gone; the tokens are given back all the same. */
void token_release_abandon(struct token_release *release);

#endif
