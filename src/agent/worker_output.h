/*
 * What a worker and its module write to standard output and standard error: read at a rate that
 * costs the agent nothing, however much there is. The last lines are kept, as people need what a
 * module complains of. Writers never wait: what does not fit is lost.
 */
#ifndef AGENT_WORKER_OUTPUT_H
#define AGENT_WORKER_OUTPUT_H

#include <stdbool.h>
#include <uv.h>

#include <keystile/text.h>

#define WORKER_OUTPUT_LINES 6
#define WORKER_OUTPUT_LINE_MAX 240 /* bytes; the rest of a line is left out */

struct worker_output {
	uv_poll_t poll;
	uv_timer_t pause; /* runs between two pieces */
	int fd;		  /* of the pipe, -1: not open */
	bool started;
	bool ended; /* nobody can write to it any more */
	void (*said)(struct worker_output *output, const char *line);
	void *owner;			   /* and data of both handles */
	char line[WORKER_OUTPUT_LINE_MAX]; /* the one that is not whole yet */
	size_t len;
	char lines[WORKER_OUTPUT_LINES][TEXT_WORDS_MAX]; /* quoted */
	unsigned long count;				 /* of all lines so far */
};

/* The writing end of a pipe for a new process, the caller's; -1: there is none. */
int worker_output_open(struct worker_output *output);
/* Begins to read. said and owner are set by then; said gets each line, quoted, some in a flood. */
KS_MUST_CHECK enum ks_error worker_output_start(struct worker_output *output, uv_loop_t *loop);
/* Takes what is in the pipe by now. */
void worker_output_drain(struct worker_output *output);
/* The line before the last for 1 and so on, quoted; NULL: there are not so many. */
const char *worker_output_line(const struct worker_output *output, unsigned before);
/* Closes the pipe, and both handles where they were started: closed is called for each. */
void worker_output_close(struct worker_output *output, uv_close_cb closed);

#endif
