/*
 * Tries everything, one after the other, and writes down what came of it.
 */
#include "hostile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *hostile_secret;
const char *hostile_readable;
const char *hostile_state;
pid_t hostile_victim;

/* Where HOSTILE_PACE names a file: until that has a byte for each attempt that was made. */
static void keep_pace(off_t attempts)
{
	const char *path = getenv("HOSTILE_PACE");
	struct stat facts;

	while (path != NULL && stat(path, &facts) == 0 && facts.st_size < attempts)
		usleep(500);
}

static void try_all(const struct attempt *attempts, FILE *notes)
{
	static off_t made;

	for (; attempts->name != NULL; attempts++) {
		bool worked;

		errno = 0;
		worked = attempts->works();
		fprintf(notes, "%s: %s\n", attempts->name, worked ? "succeeded" : strerror(errno));
		fflush(notes);
		keep_pace(++made);
	}
}

void hostile_run(void)
{
	static const struct attempt *const kinds[] = {attempts_on_files, attempts_by_descriptor,
		attempts_on_processes, attempts_on_sockets, attempts_on_the_kernel,
		attempts_on_limits};
	const char *path = getenv("HOSTILE_NOTES");
	const char *number = getenv("HOSTILE_VICTIM");
	const char *act = getenv("HOSTILE_ACT");
	FILE *notes = path != NULL ? fopen(path, "ae") : NULL;

	hostile_secret = getenv("HOSTILE_SECRET");
	hostile_readable = getenv("HOSTILE_READABLE");
	hostile_state = getenv("HOSTILE_STATE");
	if (notes == NULL || hostile_secret == NULL || hostile_readable == NULL ||
		hostile_state == NULL || number == NULL)
		return;
	hostile_victim = (pid_t)atoi(number);
	if (act != NULL) {
		fprintf(notes, "%s\n", act);
		fclose(notes);
		hostile_act(act);
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		try_all(kinds[i], notes);
	fprintf(notes, "end\n");
	fclose(notes);
}
