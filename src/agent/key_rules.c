/*
 * The strictest of all sources, rule by rule.
 */
#include "key_rules.h"

#include <stddef.h>

#include "destination.h"
#include "provider.h"

static bool wants_confirmation(const struct key_source *source)
{
	if (source->constraints != NULL)
		return source->constraints->confirm;
	return provider_confirms(source->token->provider);
}

/* NULL: none. */
static const struct constraints *destinations(const struct key_source *source)
{
	if (source->constraints != NULL)
		return source->constraints;
	return source->token->provider->destinations;
}

bool key_wants_confirmation(const struct key *key)
{
	for (const struct key_source *source = key->sources; source != NULL; source = source->next)
		if (wants_confirmation(source))
			return true;
	return false;
}

static bool source_listed(
	const struct key_source *source, const struct session_binds *binds, bool remote)
{
	const struct constraints *constraints = destinations(source);

	if (constraints == NULL || constraints->destination_count == 0)
		return true;
	return (!remote || binds->count > 0) && destination_lists(constraints, binds);
}

bool key_listed(const struct key *key, const struct session_binds *binds, bool remote)
{
	for (const struct key_source *source = key->sources; source != NULL; source = source->next)
		if (!source_listed(source, binds, remote))
			return false;
	return true;
}

const char *key_destination_refusal(
	const struct key *key, const struct session_binds *binds, const struct subject *subject)
{
	const char *refusal = NULL;

	for (const struct key_source *source = key->sources; source != NULL && refusal == NULL;
		source = source->next)
		if (destinations(source) != NULL)
			refusal = destination_refusal(destinations(source), binds, subject);
	return refusal;
}
