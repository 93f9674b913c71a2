/*
 * The counters that security keys sign (CTAP 2.1 section 6.1.2, WebAuthn section 6.1.1): each
 * signature's is higher than the one before, so that one which is not may be a copy's. That is
 * said, in the log, the audit log and the status, and nothing is refused: a counter is no proof,
 * tokens lose theirs in a reset, and a login server looks at none. A counter that is always 0 says
 * nothing.
 */
#ifndef AGENT_COUNTERS_H
#define AGENT_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <keystile/public_key.h>

#define COUNTERS_KEPT 256
#define COUNTER_ID_MAX 64 /* a fingerprint, and its NUL */

struct counter {
	char id[COUNTER_ID_MAX];
	uint32_t last;
};

/* Of one agent, as long as it lives. Zeroed is empty. */
struct counters {
	struct counter kept[COUNTERS_KEPT]; /* a ring */
	size_t next;
	/* The last one that went back; "": none has. */
	char back[COUNTER_ID_MAX];
	uint32_t back_from;
	uint32_t back_to;
};

/*
 * Takes what a right signature of that key says. True: the counter was higher, or with a touch as
 * high, before; *was is what it was.
 */
bool counters_went_back(struct counters *counters, struct bytes blob,
	const struct signature_facts *facts, uint32_t *was);
/* In words for a person, which the caller frees; NULL: none went back. */
char *counters_warning(const struct counters *counters);

#endif
