/*
 * The programs that started the asking one: git for the ssh-keygen that it runs. Advice for a
 * person, no fact for rules: whoever has the same uid chooses them.
 */
#ifndef AGENT_PARENTS_H
#define AGENT_PARENTS_H

#include <stddef.h>

#include "peer.h"

#define PARENTS_MAX 4

/* Zeroed means safe to free. */
struct parents {
	char *executables[PARENTS_MAX]; /* nearest first; "" where one can't be read */
	size_t count;
};

/* None where the peer's number is another process's by now, or nobody's; fewer where memory ends.
 */
void parents_read(struct parents *parents, const struct peer *peer);
void parents_deinit(struct parents *parents);

#endif
