/*
 * Each command that was started has handles of its own, which live until it has ended; it may
 * outlive the worker that it was for by as long as that takes.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "command_channel.h"
#include "command_name.h"
#include "foreign_text.h"
#include "spawn.h"
#include "worker_output.h"

#define MINUTE_MS 60000
#define LINES_PER_MINUTE 60

/* One that was started. */
struct running {
	struct running *next;
	struct agent *agent;
	struct commands *commands; /* NULL once its worker has ended */
	const char *backend;
	char name[COMMAND_NAME_MAX + 1];
	unsigned number;
	uv_process_t process;
	pid_t pid;  /* 0: not started */
	int stream; /* as it has it: the module hears of its end after we do; -1: not open */
	struct worker_output output;
	unsigned handles; /* of libuv, still open */
};

struct command {
	char *configured;
	unsigned long starts;
	unsigned long refused;
	char last[TEXT_WORDS_MAX]; /* line that one of them wrote, quoted */
};

struct commands {
	struct agent *agent;
	const char *backend;
	commands_lost *lost;
	void *owner;
	struct command granted[COMMANDS_MAX];
	unsigned count;
	struct running *running;
	uint64_t started_ms[COMMANDS_PER_MINUTE]; /* the last ones, in a ring */
	unsigned long starts;			  /* of all */
	uint64_t lines_since_ms;
	unsigned lines;
	uv_poll_t poll;
	int channel;	    /* -1: not open */
	int broker_channel; /* until the broker has it */
};

/* ---- What is told of one ---- */

/* A command says on stderr what is wrong, and may say a lot. */
static bool may_log(struct commands *commands)
{
	uint64_t now = uv_now(&commands->agent->loop);

	if (now - commands->lines_since_ms >= MINUTE_MS) {
		commands->lines_since_ms = now;
		commands->lines = 0;
	}
	return ++commands->lines <= LINES_PER_MINUTE;
}

static void on_line(struct worker_output *output, const char *line)
{
	struct running *running = output->owner;
	struct commands *commands = running->commands;
	struct command *command;

	if (commands == NULL)
		return;
	command = &commands->granted[running->number];
	snprintf(command->last, sizeof(command->last), "%s", line);
	if (may_log(commands))
		log_info("worker %s: its command %s (pid %d) writes %s", running->backend,
			running->name, (int)running->pid, line);
}

/* NULL: it ended well, as it does when its stream has ended; or no memory. */
static char *end_words(struct running *running, int status, int signal_number)
{
	AUTO(text) words = NULL;
	const char *last;

	worker_output_drain(&running->output);
	last = worker_output_line(&running->output, 0);
	if (signal_number != 0)
		words = text_format(
			"its command %s was ended by signal %d", running->name, signal_number);
	else if (status != 0)
		words = text_format("its command %s ended with status %d", running->name, status);
	if (words == NULL || last == NULL)
		return TAKE_TEXT(words);
	return text_format("%s; it wrote last: %s", words, last);
}

/* ---- From its start to its end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct running *running = handle->data;

	if (--running->handles > 0)
		return;
	worker_output_close(&running->output, NULL); /* of one that was never started */
	free(running);
}

static void close_handles(struct running *running)
{
	if (running->stream >= 0)
		close(running->stream);
	running->stream = -1;
	worker_output_close(&running->output, on_closed);
	uv_close((uv_handle_t *)&running->process, on_closed);
}

static void unlink_running(struct running *running)
{
	struct running **at = &running->commands->running;

	while (*at != running)
		at = &(*at)->next;
	*at = running->next;
	running->commands = NULL;
}

/* A worker that lost it may have ended before it. */
static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
	struct running *running = process->data;
	struct commands *commands = running->commands;
	AUTO(text) words = end_words(running, (int)status & 0xff, signal_number);

	children_ended(&running->agent->children, running->pid);
	kill(-running->pid, SIGKILL); /* what it started and left behind */
	if (commands != NULL)
		unlink_running(running);
	if (words != NULL && commands != NULL)
		commands->lost(commands->owner, words);
	else if (words != NULL && signal_number != SIGKILL)
		log_warning("worker %s: %s", running->backend, words);
	close_handles(running);
}

static enum ks_error run(struct running *running)
{
	struct commands *commands = running->commands;
	const char *configured = commands->granted[running->number].configured;
	AUTO(fd) words_fd = worker_output_open(&running->output);
	const struct spawn_command what = {.command = configured + command_name_len(configured) + 1,
		.stream_fd = running->stream,
		.words_fd = words_fd >= 0 ? words_fd : commands->agent->null_fd};
	enum ks_error error;

	running->output.owner = running;
	running->output.said = on_line;
	running->process.data = running;
	running->handles = 1; /* also where it does not start */
	error = spawn_command(commands->agent, &what, &running->process, on_exit_of);
	/* Who writes more than is read goes on. */
	if (words_fd >= 0)
		(void)fcntl(words_fd, F_SETFL, O_WRONLY | O_NONBLOCK);
	if (error == KS_OK &&
		worker_output_start(&running->output, &commands->agent->loop) == KS_OK)
		running->handles += 2;
	return error;
}

/* The module's end of the stream, or a negative error. */
static int start(struct commands *commands, unsigned number)
{
	struct running *running = calloc(1, sizeof(*running));
	int ends[2];

	if (running == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		free(running);
		return -ENOMEM;
	}
	*running = (struct running){.agent = commands->agent,
		.commands = commands,
		.backend = commands->backend,
		.stream = ends[1],
		.next = commands->running,
		.number = number};
	snprintf(running->name, sizeof(running->name), "%s", commands->granted[number].configured);
	running->name[strcspn(running->name, "=")] = '\0';
	if (run(running) != KS_OK) {
		close(ends[0]);
		close_handles(running);
		return -ECONNREFUSED;
	}
	running->pid = running->process.pid;
	commands->running = running;
	return ends[0];
}

/* ---- What the broker asks for ---- */

static bool may_start(const struct commands *commands)
{
	uint64_t first = commands->started_ms[commands->starts % COMMANDS_PER_MINUTE];
	unsigned running = 0;

	for (const struct running *one = commands->running; one != NULL; one = one->next)
		running++;
	return running < COMMANDS_AT_ONCE &&
	       (commands->starts < COMMANDS_PER_MINUTE ||
		       uv_now(&commands->agent->loop) - first >= MINUTE_MS);
}

static int serve(struct commands *commands, unsigned number)
{
	struct command *command = &commands->granted[number];

	if (!may_start(commands)) {
		if (command->refused++ == 0)
			log_warning("worker %s asks for its command %.*s too often",
				commands->backend, (int)command_name_len(command->configured),
				command->configured);
		return -EAGAIN;
	}
	commands->started_ms[commands->starts++ % COMMANDS_PER_MINUTE] =
		uv_now(&commands->agent->loop);
	command->starts++;
	return start(commands, number);
}

static void on_asked(uv_poll_t *poll, int status, int events)
{
	struct commands *commands = poll->data;
	unsigned number = 0;
	int asked = status < 0 ? 0 : command_channel_asked(commands->channel, &number);

	(void)events;
	if (asked < 0)
		return;
	if (asked == 0 || number >= commands->count) {
		uv_poll_stop(poll); /* the broker has ended */
		return;
	}
	command_channel_answer(commands->channel, serve(commands, number));
}

/* ---- All of a worker ---- */

static void release(struct commands *commands)
{
	for (unsigned i = 0; i < commands->count; i++)
		free(commands->granted[i].configured);
	if (commands->channel >= 0)
		close(commands->channel);
	if (commands->broker_channel >= 0)
		close(commands->broker_channel);
	free(commands);
}

static void on_poll_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static bool open_channel(struct commands *commands)
{
	if (!command_channel_open(&commands->channel, &commands->broker_channel))
		return false;
	if (uv_poll_init(&commands->agent->loop, &commands->poll, commands->channel) != 0)
		return false;
	commands->poll.data = commands;
	return true;
}

struct commands *commands_new(struct agent *agent, const char *backend, char *const *configured,
	commands_lost *lost, void *owner)
{
	struct commands *commands = calloc(1, sizeof(*commands));

	if (commands == NULL)
		return NULL;
	commands->agent = agent;
	commands->backend = backend;
	commands->lost = lost;
	commands->owner = owner;
	commands->channel = commands->broker_channel = -1;
	for (; configured[commands->count] != NULL && commands->count < COMMANDS_MAX;
		commands->count++) {
		char *copy = strdup(configured[commands->count]);

		commands->granted[commands->count].configured = copy;
		if (copy == NULL)
			break;
	}
	if (configured[commands->count] == NULL && open_channel(commands)) {
		uv_poll_start(&commands->poll, UV_READABLE, on_asked);
		uv_unref((uv_handle_t *)&commands->poll);
		return commands;
	}
	release(commands);
	return NULL;
}

int commands_channel(struct commands *commands)
{
	return TAKE_FD(commands->broker_channel);
}

void commands_end(struct commands *commands)
{
	if (commands == NULL)
		return;
	while (commands->running != NULL) {
		struct running *running = commands->running;

		unlink_running(running);
		kill(-running->pid, SIGKILL);
		uv_process_kill(&running->process, SIGKILL);
	}
	uv_close((uv_handle_t *)&commands->poll, on_poll_closed);
}

static json_t *command_json(const struct commands *commands, unsigned number)
{
	const struct command *command = &commands->granted[number];
	AUTO(text) name = strndup(command->configured, command_name_len(command->configured));
	json_t *pids = json_array();

	for (const struct running *one = commands->running; one != NULL; one = one->next)
		if (one->number == number)
			json_array_append_new(pids, json_integer(one->pid));
	return json_pack("{s:o,s:o,s:I,s:I,s:s}", "name", foreign_text(name), "pids", pids,
		"starts", (json_int_t)command->starts, "refused", (json_int_t)command->refused,
		"output", command->last);
}

json_t *commands_json(const struct commands *commands)
{
	json_t *list = json_array();

	for (unsigned i = 0; commands != NULL && i < commands->count; i++)
		json_array_append_new(list, command_json(commands, i));
	return list;
}
