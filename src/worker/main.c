/*
 * The main program of every worker. Which backend it runs was decided when it was linked.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <keystile/backends.h>

#include "harden.h"
#include "worker.h"

int main(void)
{
	const char *kept = harden(CHANNEL_FD);

	if (kept != NULL) {
		fprintf(stderr, "keystile-worker-%s: can't give up %s: %s\n",
			ks_this_backend->needs->name, kept, strerror(errno));
		return 2;
	}
	worker_run(ks_this_backend, CHANNEL_FD);
}
