/*
 * The worker's process and its frames. What a worker sends is believed only as far as it
 * concerns its own tokens and its own operations; anything else ends it.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "broker.h"
#include "commands.h"
#include "denials.h"
#include "operation.h"
#include "spawn.h"

#define READ_PIECE ((size_t)16 * 1024)
/* Between two ticks of the clock, see OPERATION_CLOCK_MS. */
#define LINES_MAX 30
#define GIVE_BACK_MS 2000 /* less than the agent takes for its own end */
#define UNASKED_MAX 8192  /* frames, and KiB of them */

static void on_handle_closed(struct worker *worker)
{
	if (--worker->handles > 0)
		return;
	worker_output_close(&worker->output, NULL); /* of one that was never attached */
	buf_deinit(&worker->in);
	broker_free(worker->broker);
	free(worker->shown);
	if (worker->incoming_fd >= 0)
		close(worker->incoming_fd);
	if (worker->memory_fd >= 0)
		close(worker->memory_fd);
	free(worker);
}

static void on_stream_closed(struct stream *stream)
{
	on_handle_closed(stream->owner);
}

static void on_uv_closed(uv_handle_t *handle)
{
	on_handle_closed(handle->data);
}

/* With all that it started: it leads a session of its own. */
static void kill_all_of(struct worker *worker)
{
	kill(-worker->pid, SIGKILL);
	if (worker->exit_status < 0)
		uv_process_kill(&worker->process, SIGKILL);
	else if (!uv_is_closing((uv_handle_t *)&worker->process))
		uv_close((uv_handle_t *)&worker->process, on_uv_closed);
}

/* It sees the end of its socket. */
static void hang_up(struct worker *worker)
{
	worker->state = WORKER_ENDED;
	stream_close(&worker->stream);
	worker_output_close(&worker->output, on_uv_closed);
	commands_end(worker->commands);
	worker->commands = NULL;
}

/* Kills the process and lets go of all handles; the memory goes with the last of them. */
static void shut(struct worker *worker)
{
	hang_up(worker);
	uv_close((uv_handle_t *)&worker->clock, on_uv_closed);
	kill_all_of(worker);
}

static void on_time_over(uv_timer_t *clock)
{
	struct worker *worker = clock->data;

	uv_close((uv_handle_t *)clock, on_uv_closed);
	kill_all_of(worker);
}

/* One whose things outlive it has a moment to give them back. */
static void let_end(struct worker *worker)
{
	hang_up(worker);
	uv_timer_start(&worker->clock, on_time_over, GIVE_BACK_MS, 0);
}

void worker_end(struct worker *worker)
{
	if (worker->state == WORKER_ENDED)
		return;
	if (worker->needs->outlived_by_what_it_holds)
		let_end(worker);
	else
		shut(worker);
	operations_drop(worker, KS_NO_TOKEN, "its provider was removed");
}

/* What it, or its module, wrote before may be all that tells what is wrong. */
static char *with_last_words(struct worker *worker, const char *why)
{
	const char *last;

	worker_output_drain(&worker->output);
	last = worker_output_line(&worker->output, 0);
	return last == NULL ? NULL : text_format("%s; it wrote last: %s", why, last);
}

void worker_fail(struct worker *worker, const char *why)
{
	AUTO(text) more = NULL;

	if (worker->state == WORKER_ENDED)
		return;
	more = with_last_words(worker, why);
	if (more != NULL)
		why = more;
	log_warning("worker %s (pid %d): %s", worker->needs->name, (int)worker->pid, why);
	shut(worker);
	/* First the owner, so that nobody hands this worker more work while its own is dropped. */
	worker->events->ended(worker, why);
	operations_drop(worker, KS_DEVICE_FAILED, why);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal_number)
{
	struct worker *worker = process->data;
	AUTO(text) why = NULL;
	/* We did not: who it was is not to be learnt, but it is a worker that the kernel takes. */
	bool by_others = signal_number == SIGKILL && !worker->killed;

	children_ended(&worker->agent->children, worker->pid);

	worker->exit_status = (int)status & 0xff;
	worker->exit_signal = signal_number;
	if (worker->state != WORKER_ENDED) {
		why = signal_number != 0
			      ? text_format("it was ended by signal %d (%s)%s", signal_number,
					strsignal(signal_number),
					by_others ? ", as when the machine has no memory left" : "")
			      : text_format(
					"it ended by itself with status %d", worker->exit_status);
		worker_fail(worker, why != NULL ? why : "it ended by itself");
	}
	if (uv_is_active((uv_handle_t *)&worker->clock))
		on_time_over(&worker->clock);
	else if (!uv_is_closing((uv_handle_t *)process))
		uv_close((uv_handle_t *)process, on_uv_closed);
}

/* The worker counts its own lines; code that took it over does not. */
static bool may_log(struct worker *worker)
{
	if (worker->lines++ < LINES_MAX)
		return true;
	worker->dropped++;
	return false;
}

static void on_output(struct worker_output *output, const char *line)
{
	struct worker *worker = output->owner;

	if (may_log(worker))
		log_info("worker %s (pid %d) writes %s", worker->needs->name, (int)worker->pid,
			line);
}

static void log_for(struct worker *worker, const struct frame *frame)
{
	char quoted[TEXT_WORDS_MAX];
	const char *text;

	if (!may_log(worker))
		return;
	text = text_quote_words(frame->text.text, quoted);
	if (frame->text.level <= LOG_LEVEL_WARNING)
		log_warning(
			"worker %s (pid %d) says %s", worker->needs->name, (int)worker->pid, text);
	else if (frame->text.level == LOG_LEVEL_INFO)
		log_info("worker %s says %s", worker->needs->name, text);
	else
		log_debug("worker %s says %s", worker->needs->name, text);
}

static enum ks_error hello(struct worker *worker, const struct frame *frame)
{
	if (worker->state != WORKER_STARTING || frame->hello.version != FRAME_VERSION ||
		!bytes_equal_text(frame->hello.name, worker->needs->name) ||
		frame->hello.parallel < 1 || frame->hello.parallel > 16)
		return KS_BAD_INPUT;
	worker->parallel = frame->hello.parallel;
	worker->state = WORKER_READY;
	operations_continue(worker);
	return KS_OK;
}

/* Once; where its library runs in programs of their own, each of these. */
static bool may_be_confined(const struct worker *worker)
{
	return !worker->confinement.told || worker->needs->library_apart;
}

/* Once, before it is confined. */
static enum ks_error memory(struct worker *worker)
{
	if (!may_be_confined(worker) || (worker->memory_fd >= 0 && !worker->needs->library_apart))
		return KS_BAD_INPUT;
	/* A call that was cancelled before it was confined has left it. */
	if (worker->memory_fd >= 0)
		close(worker->memory_fd);
	worker->memory_fd = TAKE_FD(worker->incoming_fd);
	return KS_OK;
}

static enum ks_error start_broker(struct worker *worker)
{
	bool apart = worker->needs->library_apart;
	struct broker *broker = apart ? broker_copy(worker->broker) : worker->broker;
	struct broker_watched watched = {.pid = worker->pid, .child = apart};

	if (broker == NULL)
		return apart ? KS_NO_MEMORY : KS_BAD_INPUT;
	if (!apart)
		worker->broker = NULL;
	watched.notifications_fd = TAKE_FD(worker->incoming_fd);
	watched.memory_fd = TAKE_FD(worker->memory_fd);
	return broker_start(broker, &watched);
}

/* Once, and never later than the end of open(): see provider_load.c. */
static enum ks_error confined(struct worker *worker, const struct frame *frame)
{
	struct worker_confinement *confinement = &worker->confinement;

	if (!may_be_confined(worker))
		return KS_BAD_INPUT;
	confinement->told = true;
	confinement->filtered = frame->confined.filtered;
	confinement->landlock = frame->confined.landlock;
	snprintf(confinement->lacking, sizeof(confinement->lacking), "%.*s",
		(int)frame->confined.lacking.len, (const char *)frame->confined.lacking.data);
	confinement->brokered = frame->confined.brokered;
	if (confinement->brokered)
		return start_broker(worker);
	/* It came for somebody to be asked, whom this kernel does not know of. */
	if (worker->memory_fd >= 0)
		close(TAKE_FD(worker->memory_fd));
	return KS_OK;
}

/* Its word alone, which nothing depends on. */
static enum ks_error denied(struct worker *worker, const struct frame *frame)
{
	AUTO(text) path =
		frame->denied.path.len == 0
			? NULL
			: strndup((const char *)frame->denied.path.data, frame->denied.path.len);

	if (!worker->confinement.told || worker->shown == NULL)
		return KS_BAD_INPUT;
	if (path != NULL)
		denials_add(worker->agent->denials, worker->needs->name, worker->shown,
			frame->denied.writes ? DENIAL_WRITE : DENIAL_READ, path);
	return KS_OK;
}

static enum ks_error handle(struct worker *worker, const struct frame *frame)
{
	if (frame->type == FRAME_HELLO)
		return hello(worker, frame);
	if (worker->state != WORKER_READY || !frame_from_worker(frame->type) ||
		(frame_has_fd(frame) && worker->incoming_fd < 0))
		return KS_BAD_INPUT;
	switch (frame->type) {
	case FRAME_TOKEN:
		if (worker->first_token == 0)
			worker->first_token = frame->token.token.id;
		return worker->events->token(
			worker, &frame->token.token, frame->token.keys, frame->token.count);
	case FRAME_TOKEN_GONE:
		quiet_gone(&worker->quiet, frame->gone.token);
		return worker->events->token_gone(worker, frame->gone.token);
	case FRAME_CARD:
		return worker->events->card(worker, &frame->card);
	case FRAME_CONFINED:
		return confined(worker, frame);
	case FRAME_MEMORY:
		return memory(worker);
	case FRAME_DENIED:
		return denied(worker, frame);
	case FRAME_LOG:
		log_for(worker, frame);
		return KS_OK;
	default:
		return operation_handle(worker, frame);
	}
}

/* What it sends unasked beyond a measure waits for the clock, as it does then itself. */
static bool sends_too_much(struct worker *worker, const struct frame *frame, size_t len)
{
	if (frame->type != FRAME_DONE)
		worker->unasked += 1 + (unsigned)(len / 1024);
	return worker->unasked > UNASKED_MAX;
}

/* 1 a frame was handled, 0 not whole yet, -1 nonsense. */
static int next_frame(struct worker *worker)
{
	struct reader reader = reader_of(buf_bytes(&worker->in));
	size_t len = reader_u32(&reader);
	struct frame frame;
	enum ks_error error;

	if (reader.failed)
		return 0;
	if (len == 0 || len > FRAME_MAX)
		return -1;
	if (reader.left < len)
		return 0;
	if (frame_decode(BYTES(reader.data, len), &frame) != KS_OK)
		return -1;
	if (sends_too_much(worker, &frame, len))
		stream_read(&worker->stream, false);
	error = handle(worker, &frame);
	frame_deinit(&frame);
	if (worker->state == WORKER_ENDED)
		return 0;
	buf_consume(&worker->in, FRAME_HEADER + len);
	return error == KS_OK ? 1 : -1;
}

/*
 * Its exit status says more than the end of its socket, but may come never: it has two ticks of the
 * clock for it. One that has ended already keeps the status that it ended with.
 */
static void await_exit(struct worker *worker)
{
	if (worker->hung_up == 0)
		worker->hung_up = 1;
}

static void end_hung_up(struct worker *worker)
{
	if (worker->hung_up > 0 && ++worker->hung_up > 2) {
		worker->killed = true;
		uv_process_kill(&worker->process, SIGKILL);
	}
}

/* The kernel gives one call no more than those of one message, which is one frame. */
static bool keep_descriptor(struct worker *worker, int fd)
{
	if (!may_be_confined(worker) || worker->incoming_fd >= 0) {
		close(fd);
		return false;
	}
	worker->incoming_fd = fd;
	return true;
}

static void on_readable(struct stream *stream)
{
	struct worker *worker = stream->owner;
	uint8_t *room = buf_reserve(&worker->in, READ_PIECE);
	int fd = -1;
	ssize_t got = room == NULL ? -2 : stream_receive(stream, room, READ_PIECE, &fd);
	int handled;

	if (fd >= 0 && !keep_descriptor(worker, fd)) {
		worker_fail(worker, "it sent a descriptor that nobody waits for");
		return;
	}
	if (got == -1)
		return;
	if (got <= 0) {
		stream_read(stream, false);
		await_exit(worker);
		return;
	}
	worker->in.len += (size_t)got;
	do
		handled = next_frame(worker);
	while (handled > 0);
	if (handled < 0)
		worker_fail(worker, "it sent something that makes no sense");
}

static void on_gone(struct stream *stream)
{
	await_exit(stream->owner);
}

static const struct stream_events stream_events = {
	.readable = on_readable,
	.gone = on_gone,
	.closed = on_stream_closed,
};

static enum ks_error send_hello(struct worker *worker)
{
	AUTO(buf) out = {0};
	struct frame frame = {.type = FRAME_HELLO,
		.hello = {.version = FRAME_VERSION, .log_level = (uint32_t)log_level()}};

	frame_encode(&frame, &out);
	return stream_send(&worker->stream, &out, -1);
}

static void on_clock(uv_timer_t *clock)
{
	struct worker *worker = clock->data;

	if (worker->dropped > 0)
		log_warning("worker %s (pid %d): %lu more lines were dropped", worker->needs->name,
			(int)worker->pid, worker->dropped);
	worker->dropped = worker->lines = 0;
	if (worker->unasked > UNASKED_MAX && worker->state != WORKER_ENDED)
		stream_read(&worker->stream, true);
	worker->unasked = 0;
	end_hung_up(worker);
	operations_check_deadlines(worker);
}

/* fd is the agent's end; it is taken. The process runs already. */
static enum ks_error attach(struct worker *worker, int fd)
{
	uv_loop_t *loop = &worker->agent->loop;

	if (stream_init(&worker->stream, loop, fd, &stream_events, worker) != KS_OK) {
		worker->state = WORKER_ENDED;
		uv_process_kill(&worker->process, SIGKILL);
		return KS_NO_MEMORY;
	}
	worker->handles++;
	uv_timer_init(loop, &worker->clock);
	worker->clock.data = worker;
	worker->handles++;
	if (worker_output_start(&worker->output, loop) == KS_OK)
		worker->handles += 2;
	buf_init(&worker->in, FRAME_MAX + FRAME_HEADER + READ_PIECE);
	uv_timer_start(&worker->clock, on_clock, OPERATION_CLOCK_MS, OPERATION_CLOCK_MS);
	uv_unref((uv_handle_t *)&worker->clock);
	stream_read(&worker->stream, true);
	/* One that has ended by now is told of by its exit, like one that ends a moment later. */
	return send_hello(worker) == KS_NO_MEMORY ? KS_NO_MEMORY : KS_OK;
}

/* Without a pipe nobody hears what it writes, which is no reason to go without the worker. */
static enum ks_error start(struct worker *worker, int channel_fd)
{
	AUTO(fd) output_fd = worker_output_open(&worker->output);
	const struct spawn_worker fds = {.channel_fd = channel_fd,
		.output_fd = output_fd >= 0 ? output_fd : worker->agent->null_fd};

	worker->output.owner = worker;
	worker->output.said = on_output;
	return spawn_worker(worker->agent, worker->needs, &fds, &worker->process, on_process_exit);
}

enum ks_error worker_new(struct agent *agent, const struct ks_needs *needs,
	const struct worker_events *events, void *owner, struct worker **out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int ends[2];
	enum ks_error error;

	*out = NULL;
	if (worker == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		free(worker);
		return KS_NO_MEMORY;
	}
	*worker = (struct worker){.agent = agent,
		.needs = needs,
		.events = events,
		.owner = owner,
		.parallel = 1,
		.quiet = {.any_ms = uv_now(&agent->loop)},
		.exit_status = -1,
		.incoming_fd = -1,
		.memory_fd = -1};
	worker->process.data = worker;
	error = start(worker, ends[1]);
	close(ends[1]);
	worker->handles++; /* also a failed uv_spawn() leaves a handle to close */
	if (error != KS_OK) {
		close(ends[0]);
		uv_close((uv_handle_t *)&worker->process, on_uv_closed);
		return error;
	}
	worker->pid = worker->process.pid;
	error = attach(worker, ends[0]);
	if (error != KS_OK)
		worker_end(worker);
	else
		*out = worker;
	return error;
}
