/* See quiet.h. */
#include "quiet.h"

#include <stddef.h>

/* The token's own place, a free one, or that of whichever ended first. */
static struct quiet_token *place_for(struct quiet *quiet, uint32_t token)
{
	struct quiet_token *place = &quiet->tokens[0];

	for (size_t i = 0; i < QUIET_TOKENS; i++)
		if (quiet->tokens[i].id == token)
			return &quiet->tokens[i];
	for (size_t i = 1; i < QUIET_TOKENS; i++)
		if (quiet->tokens[i].ended_ms < place->ended_ms)
			place = &quiet->tokens[i];
	return place;
}

/* What loses its place is not forgotten. */
static void empty(struct quiet *quiet, struct quiet_token *place)
{
	if (place->ended_ms > quiet->any_ms)
		quiet->any_ms = place->ended_ms;
	*place = (struct quiet_token){0};
}

void quiet_gone(struct quiet *quiet, uint32_t token)
{
	for (size_t i = 0; i < QUIET_TOKENS; i++)
		if (quiet->tokens[i].id == token)
			empty(quiet, &quiet->tokens[i]);
}

void quiet_note(struct quiet *quiet, uint32_t token, uint64_t now_ms)
{
	struct quiet_token *place = token == 0 ? NULL : place_for(quiet, token);

	if (place == NULL) {
		quiet->any_ms = now_ms;
		return;
	}
	if (place->id != token)
		empty(quiet, place);
	*place = (struct quiet_token){.id = token, .ended_ms = now_ms};
}

uint64_t quiet_since_ms(const struct quiet *quiet, uint32_t token)
{
	uint64_t since_ms = quiet->any_ms;

	for (size_t i = 0; i < QUIET_TOKENS; i++)
		if ((token == 0 || quiet->tokens[i].id == token) &&
			quiet->tokens[i].ended_ms > since_ms)
			since_ms = quiet->tokens[i].ended_ms;
	return since_ms;
}
