/*
 * See progress.h. Blanks take the line away, as not every terminal knows another way.
 */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

void progress_begin(struct progress *progress, int64_t now_ms)
{
	*progress =
		(struct progress){.begun_ms = now_ms, .on_terminal = isatty(STDERR_FILENO) == 1};
}

void progress_show(struct progress *progress, int64_t now_ms)
{
	int64_t seconds = (now_ms - progress->begun_ms) / 1000;

	if (!progress->on_terminal || seconds < 1)
		return;
	fprintf(stderr, "\rworking, %lld s ", (long long)seconds);
	fflush(stderr);
	progress->shown = true;
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fprintf(stderr, "\r%24s\r", "");
	progress->shown = false;
}
