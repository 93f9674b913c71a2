/*
 * The main program of every worker. Which backend it runs was decided when it was linked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <keystile/backends.h>

#include "harden.h"
#include "worker.h"

/*
 * To be read by the agent, which so sees where foreign code wants to connect to; once the process
 * is not dumpable nobody can open it. Without it nothing foreign gets a connection. True: it is
 * MEMORY_FD.
 */
static bool open_memory(void)
{
	int fd = ks_this_backend->needs->foreign_code ? open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
						      : -1;

	if (fd < 0 || fd == MEMORY_FD)
		return fd == MEMORY_FD;
	bool there = dup3(fd, MEMORY_FD, O_CLOEXEC) == MEMORY_FD;
	close(fd);
	return there;
}

int main(void)
{
	const struct ks_needs *needs = ks_this_backend->needs;
	bool memory = open_memory();
	const char *kept = harden(CHANNEL_FD, memory ? MEMORY_FD : CHANNEL_FD,
		needs->foreign_code && !needs->library_apart);

	if (kept != NULL) {
		fprintf(stderr, "keystile-worker-%s: can't give up %s: %s\n", needs->name, kept,
			strerror(errno));
		return 2;
	}
	worker_run(ks_this_backend, CHANNEL_FD, memory ? MEMORY_FD : -1);
}
