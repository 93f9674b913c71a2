/*
 * What takes longer than a second shows on a terminal that it is going on: a line on standard error
 * with the seconds, which is gone again before anything else is said.
 */
#ifndef KEYSTILE_CTL_PROGRESS_H
#define KEYSTILE_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_STEP_MS 1000

struct progress {
	int64_t begun_ms; /* of the monotonic clock */
	bool on_terminal;
	bool shown;
};

void progress_begin(struct progress *progress, int64_t now_ms);
/* To be called each PROGRESS_STEP_MS. */
void progress_show(struct progress *progress, int64_t now_ms);
void progress_end(struct progress *progress);

#endif
