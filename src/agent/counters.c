/* See counters.h. */
#include "counters.h"

#include <stdio.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

static struct counter *counter_of(struct counters *counters, const char *id)
{
	struct counter *counter;

	for (size_t i = 0; i < COUNTERS_KEPT; i++)
		if (strcmp(counters->kept[i].id, id) == 0)
			return &counters->kept[i];
	counter = &counters->kept[counters->next++ % COUNTERS_KEPT];
	*counter = (struct counter){0};
	snprintf(counter->id, sizeof(counter->id), "%s", id);
	return counter;
}

/* Without a touch some count nothing. */
static bool is_back(uint32_t was, const struct signature_facts *facts)
{
	bool touched = (facts->sk_flags & SK_FLAG_USER_PRESENT) != 0;

	return facts->sk_counter < was || (touched && was != 0 && facts->sk_counter == was);
}

bool counters_went_back(struct counters *counters, struct bytes blob,
	const struct signature_facts *facts, uint32_t *was)
{
	AUTO(text) id = facts->security_key ? public_key_fingerprint(blob) : NULL;
	struct counter *counter = NULL;

	if (id == NULL)
		return false;
	counter = counter_of(counters, id);
	*was = counter->last;
	counter->last = facts->sk_counter;
	if (!is_back(*was, facts))
		return false;
	log_warning("the counter of the security key with %s went back from %u to %u", id,
		(unsigned)*was, (unsigned)facts->sk_counter);
	snprintf(counters->back, sizeof(counters->back), "%s", id);
	counters->back_from = *was;
	counters->back_to = facts->sk_counter;
	return true;
}

char *counters_warning(const struct counters *counters)
{
	if (counters->back[0] == '\0')
		return NULL;
	return text_format("the counter of the security key with %s went back from %u to %u: "
			   "somebody may have a copy of that key",
		counters->back, (unsigned)counters->back_from, (unsigned)counters->back_to);
}
