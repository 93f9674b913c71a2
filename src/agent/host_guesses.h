/*
 * Names that a host may have: places that the command line of an ssh speaks of. They are guesses,
 * of use only where a hash in known_hosts says which one is right; so nothing has to be understood
 * exactly, and nothing that is made up does any harm.
 */
#ifndef AGENT_HOST_GUESSES_H
#define AGENT_HOST_GUESSES_H

#include <keystile/buffer.h>

#define HOST_GUESSES_MAX 64
#define HOST_GUESS_LEN_MAX 255

/* Zeroed is empty. */
struct host_guesses {
	char *names[HOST_GUESSES_MAX + 1]; /* as ssh looks them up, "[host]:port"; ended by NULL */
	size_t count;
};

/* Adds those of the words, each of which ends with a NUL, until there is no place or no memory. */
void host_guesses_read(struct host_guesses *guesses, struct bytes words);
/* Keeps one that was right; the oldest gives way. */
void host_guesses_remember(struct host_guesses *guesses, const char *name);
void host_guesses_deinit(struct host_guesses *guesses);

#endif
