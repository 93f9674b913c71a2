/*
 * See refusals.h.
 */
#include "refusals.h"

#include <stdio.h>

#include <keystile/log.h>

void refusals_add(
	struct refusals *refusals, const char *what, const char *reason, const char *remedy)
{
	struct refusal *refusal = &refusals->last[refusals->count++ % REFUSALS_KEPT];

	refusal->when = time(NULL);
	snprintf(refusal->what, sizeof(refusal->what), "%s", what);
	snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
	snprintf(refusal->remedy, sizeof(refusal->remedy), "%s", remedy != NULL ? remedy : "");
	log_warning("refused: %s: %s%s%s", what, reason, remedy != NULL ? "; " : "",
		remedy != NULL ? remedy : "");
}
