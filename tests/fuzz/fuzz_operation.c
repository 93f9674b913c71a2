/*
 * A worker's frames against the operations that the agent has with it: a hostile worker answers
 * what it was not asked, twice, or vouches for what it was not given. The input is a list of steps:
 * what the agent does, and frames of the worker.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <keystile/cleanup.h>

#include "agent.h"
#include "operation.h"
#include "paths.h"

#define ASKERS 8
#define STEPS_MAX 64
#define PARALLEL 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* In place of the program's: no worker is started here. */
const char paths_worker_folder[] = "/nonexistent";

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Who asked for an operation, as sign.c does. */
struct asker {
	struct operation *operation; /* NULL: done, abandoned or never begun */
	bool pin_asked, touch_asked, pin_given, finished;
	unsigned pins; /* how often it was to ask the person */
};

struct bed {
	struct agent agent;
	struct worker worker;
	struct asker askers[ASKERS];
	int peer;
};

static void on_done(
	struct operation *operation, enum ks_error error, struct bytes words, struct bytes result)
{
	struct asker *asker = operation->owner;

	(void)words;
	(void)result;
	require(asker->operation == operation && !asker->finished);
	require((unsigned)error < KS_ERROR_COUNT);
	require((operation->presence & KS_PRESENCE_PIN) == 0 || asker->pin_given);
	asker->operation = NULL;
	asker->finished = true;
}

static void on_ask_pin(struct operation *operation, uint32_t token, int32_t tries_left, bool retry)
{
	struct asker *asker = operation->owner;

	(void)token;
	(void)tries_left;
	(void)retry;
	require(asker->operation == operation && !asker->pin_asked);
	require(++asker->pins <= OPERATION_PINS_MAX);
	asker->pin_asked = true;
}

static void on_touch(struct operation *operation, uint32_t token, bool awaited)
{
	struct asker *asker = operation->owner;

	(void)token;
	require(asker->operation == operation && !(awaited && asker->touch_asked));
	asker->touch_asked = asker->touch_asked || awaited;
}

static const struct operation_events operation_events = {
	.done = on_done, .ask_pin = on_ask_pin, .touch = on_touch};

static void on_stream_closed(struct stream *stream)
{
	(void)stream;
}

static const struct stream_events stream_events = {.closed = on_stream_closed};

static void bed_init(struct bed *bed)
{
	static const struct ks_needs needs = {.name = "fuzz"};
	int ends[2];

	memset(bed, 0, sizeof(*bed));
	require(uv_loop_init(&bed->agent.loop) == 0);
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	bed->peer = ends[1];
	bed->agent.config.operation_timeout_ms = 1000;
	bed->agent.config.prompt_timeout_ms = 1000;
	bed->worker = (struct worker){
		.agent = &bed->agent, .needs = &needs, .state = WORKER_READY, .parallel = PARALLEL};
	require(stream_init(&bed->worker.stream, &bed->agent.loop, ends[0], &stream_events,
			&bed->worker) == KS_OK);
}

static void bed_deinit(struct bed *bed)
{
	operations_drop(&bed->worker, KS_DEVICE_FAILED, "the end");
	require(bed->worker.operations == NULL && bed->worker.running == 0);
	for (size_t i = 0; i < ASKERS; i++)
		require(bed->askers[i].operation == NULL);
	stream_close(&bed->worker.stream);
	while (uv_run(&bed->agent.loop, UV_RUN_DEFAULT) != 0)
		continue;
	require(uv_loop_close(&bed->agent.loop) == 0);
	close(bed->peer);
}

/* Every other asker is remote. */
static void begin(struct bed *bed, struct asker *asker)
{
	struct frame frame = {.type = FRAME_SIGN};
	struct operation_wish wish = {.frame = &frame,
		.fd = -1,
		.remote = (asker - bed->askers) % 2 == 1,
		.events = &operation_events,
		.owner = asker};

	if (asker->operation != NULL)
		return;
	*asker = (struct asker){0};
	require(worker_operate(&bed->worker, &wish, &asker->operation) == KS_OK);
}

static void abandon(struct asker *asker)
{
	if (asker->operation != NULL)
		operation_abandon(asker->operation);
	asker->operation = NULL;
}

static void answer_pin(struct asker *asker, bool yes)
{
	if (asker->operation == NULL || !asker->pin_asked)
		return;
	asker->pin_asked = false;
	asker->pin_given = asker->pin_given || yes;
	operation_answer_pin(asker->operation, yes ? KS_OK : KS_REFUSED,
		yes ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1);
}

static void answer_touch(struct asker *asker, bool yes)
{
	if (asker->operation == NULL || !asker->touch_asked)
		return;
	asker->touch_asked = false;
	operation_answer_touch(asker->operation, yes ? KS_OK : KS_REFUSED);
}

/* False when the worker has forfeited its life. */
static bool take_frame(struct bed *bed, struct bytes bytes)
{
	struct frame frame;
	enum ks_error error;

	if (frame_decode(bytes, &frame) != KS_OK)
		return false;
	error = frame_from_worker(frame.type) && frame.type != FRAME_HELLO
			? operation_handle(&bed->worker, &frame)
			: KS_BAD_INPUT;
	frame_deinit(&frame);
	return error == KS_OK;
}

/* The worker has work as long as somebody who may have a place waits for one. */
static void check_lists(const struct bed *bed)
{
	const struct worker *worker = &bed->worker;
	unsigned running[2] = {0}, waiting[2] = {0};

	for (const struct operation *one = worker->operations; one != NULL; one = one->next) {
		running[one->remote] += one->running;
		waiting[one->remote] += !one->running;
		require((one->presence & KS_PRESENCE_PIN) == 0 || one->pin_given);
	}
	require(running[1] == worker->remote_running && waiting[1] == worker->remote_waiting);
	require(running[0] + running[1] == worker->running);
	require(waiting[0] + waiting[1] == worker->waiting);
	require(worker->running <= PARALLEL && running[1] <= PARALLEL / 2);
	if (worker->running < PARALLEL)
		require(waiting[0] == 0 && (waiting[1] == 0 || running[1] == PARALLEL / 2));
}

static void read_all(int fd)
{
	char piece[4096];

	while (recv(fd, piece, sizeof(piece), MSG_DONTWAIT) > 0)
		continue;
}

static bool take_step(struct bed *bed, struct reader *in)
{
	uint8_t what = reader_u8(in);
	struct asker *asker = &bed->askers[what % ASKERS];
	bool goes_on = true;

	switch (what / ASKERS % 7) {
	case 0:
		begin(bed, asker);
		break;
	case 1:
		abandon(asker);
		break;
	case 2:
	case 3:
		answer_pin(asker, what / ASKERS % 7 == 2);
		break;
	case 4:
		answer_touch(asker, true);
		break;
	default:
		goes_on = take_frame(bed, reader_raw(in, reader_u8(in)));
	}
	check_lists(bed);
	read_all(bed->peer);
	return goes_on && !in->failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct bed bed;
	struct reader in = reader_of(BYTES(data, len));

	bed_init(&bed);
	for (int i = 0; i < STEPS_MAX && in.left > 0 && take_step(&bed, &in); i++)
		continue;
	bed_deinit(&bed);
	return 0;
}
