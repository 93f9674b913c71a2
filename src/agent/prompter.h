/*
 * The `keystile prompter`s that wait in their terminals for questions. Each is a control connection
 * that handed over its terminal; the agent keeps the descriptor for the prompt helper, which looks
 * whether it is one, and reads and writes nothing there itself.
 */
#ifndef AGENT_PROMPTER_H
#define AGENT_PROMPTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct agent;
struct control;

#define PROMPTERS_MAX 8

struct prompter {
	struct prompter *next; /* the one that came later stands before */
	struct control *control;
	uint64_t id;
	int fd; /* its terminal */
	pid_t pid;
	uint64_t start_time;
};

/*
 * The connection is a prompter's from now on; the answer to its command. Takes fd, -1 where none
 * was passed. The oldest goes when there are too many.
 */
json_t *prompter_register(struct agent *agent, struct control *control, int fd);
/* The connection has gone; it may be none of a prompter's. */
void prompter_forget(struct agent *agent, const struct control *control);
bool prompter_is(const struct agent *agent, const struct control *control);
/* The last that came and is in the foreground of its terminal; NULL: none. */
const struct prompter *prompter_ready(const struct agent *agent);

/* Tells one what goes on in its terminal: event and text are static or copied. */
void prompter_tell(struct agent *agent, uint64_t id, const char *event, const char *text);
/* Nobody can be asked there: its connection is closed. */
void prompter_drop(struct agent *agent, uint64_t id, const char *why);

#endif
