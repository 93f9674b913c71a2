/*
 * See refusals.h.
 */
#include "refusals.h"

#include <stdio.h>

#include <keystile/log.h>
#include <keystile/process.h>

#include "peer.h"

/* Who waits for the answer is there still, and so is its terminal. */
static void note_who(struct refusal *refusal, const struct peer *who)
{
	struct process process;

	refusal->pid = 0;
	refusal->terminal = 0;
	refusal->program[0] = '\0';
	if (who == NULL || who->pid <= 0)
		return;
	refusal->pid = who->pid;
	snprintf(refusal->program, sizeof(refusal->program), "%s", peer_program(who));
	if (process_read(who->pid, &process) && process.start_time == who->start_time)
		refusal->terminal = process.terminal;
}

void refusals_add(struct refusals *refusals, const struct peer *who, const char *what,
	const char *reason, const char *remedy)
{
	struct refusal *refusal = &refusals->last[refusals->count++ % REFUSALS_KEPT];

	refusal->when = time(NULL);
	note_who(refusal, who);
	snprintf(refusal->what, sizeof(refusal->what), "%s", what);
	snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
	snprintf(refusal->remedy, sizeof(refusal->remedy), "%s", remedy != NULL ? remedy : "");
	log_warning("refused: %s: %s%s%s", what, reason, remedy != NULL ? "; " : "",
		remedy != NULL ? remedy : "");
}
