/*
 * The main program of every worker. Which backend it runs was decided when it was linked.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <keystile/backends.h>

#include "confine.h"
#include "harden.h"
#include "worker.h"

int main(void)
{
	const struct ks_needs *needs = ks_this_backend->needs;
	bool foreign_code = needs->foreign_code && !needs->library_apart;
	bool memory = foreign_code && confine_open_memory(MEMORY_FD);
	const char *kept = harden(CHANNEL_FD, memory ? MEMORY_FD : CHANNEL_FD, foreign_code);

	if (kept != NULL) {
		fprintf(stderr, "keystile-worker-%s: can't give up %s: %s\n", needs->name, kept,
			strerror(errno));
		return 2;
	}
	worker_run(ks_this_backend, CHANNEL_FD, memory ? MEMORY_FD : -1);
}
