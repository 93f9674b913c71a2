/*
 * Starting the agent's own programs, workers and the prompt helper: found in the compiled-in
 * folder, with the descriptors and the environment that they need and no others. And what the
 * person configured for modules to talk to.
 */
#ifndef AGENT_SPAWN_H
#define AGENT_SPAWN_H

#include <uv.h>

#include <keystile/backend.h>

struct agent;

/*
 * channel_fd becomes the worker's descriptor 3, output_fd its standard output and error; they stay
 * the caller's. A failure is logged.
 */
struct spawn_worker {
	int channel_fd;
	int output_fd;
};

KS_MUST_CHECK enum ks_error spawn_worker(struct agent *agent, const struct ks_needs *needs,
	const struct spawn_worker *fds, uv_process_t *process, uv_exit_cb on_exit);
/* A variable of such a worker's environment; borrowed, NULL where it has none. */
const char *spawn_worker_variable(
	struct agent *agent, const struct ks_needs *needs, struct bytes name);

/*
 * question_fd becomes its standard input, words_fd its standard error, answer_fd (-1: none)
 * descriptor 3, terminal_fd (-1: none) 4. It leads a process group of its own and inherits the
 * agent's environment, with the display and what else is known of the person's session
 * (surroundings.h).
 */
struct spawn_prompt {
	int question_fd;
	int words_fd;
	int answer_fd;
	int terminal_fd;
};

KS_MUST_CHECK enum ks_error spawn_prompt(struct agent *agent, const struct spawn_prompt *fds,
	uv_process_t *process, uv_exit_cb on_exit);

/*
 * A command of the configuration, as sh(1) reads it: stream_fd becomes its standard input and
 * output, words_fd its standard error. Otherwise like a prompt program.
 */
struct spawn_command {
	const char *command;
	int stream_fd;
	int words_fd;
};

KS_MUST_CHECK enum ks_error spawn_command(struct agent *agent, const struct spawn_command *what,
	uv_process_t *process, uv_exit_cb on_exit);

#endif
