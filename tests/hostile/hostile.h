/*
 * What code that took a worker over tries. Each attempt is a function that is true when it worked;
 * the tables are put together by what they reach for.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include <stdbool.h>
#include <sys/types.h>

struct attempt {
	const char *name;
	bool (*works)(void);
};

/* Ended by one without a name. */
extern const struct attempt attempts_on_files[];
extern const struct attempt attempts_by_descriptor[];
extern const struct attempt attempts_on_processes[];
extern const struct attempt attempts_on_sockets[];
extern const struct attempt attempts_on_the_kernel[];
extern const struct attempt attempts_on_limits[];

/*
 * From the environment: HOSTILE_SECRET is a file that must not be read, HOSTILE_READABLE one that
 * may only be read, HOSTILE_STATE a folder that may be written, HOSTILE_VICTIM a process of the
 * same user.
 */
extern const char *hostile_secret;
extern const char *hostile_readable;
extern const char *hostile_state;
extern pid_t hostile_victim;

/*
 * Tries all and notes "NAME: succeeded" or why not in the file that HOSTILE_NOTES names, "end" at
 * last. With HOSTILE_ACT it does that one thing instead, which may not return (acts.c).
 */
void hostile_run(void);
void hostile_act(const char *name);

#endif
