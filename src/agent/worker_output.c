/*
 * See worker_output.h. A piece is read, then nothing for a moment: a flood fills the pipe, not the
 * agent's time.
 */
#include "worker_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#define PIECE 4096
#define PIECES_AT_THE_END 16 /* a full pipe */
#define PAUSE_MS 100

int worker_output_open(struct worker_output *output)
{
	int ends[2];

	output->fd = -1;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	output->fd = ends[0];
	return ends[1];
}

static void end_line(struct worker_output *output)
{
	char *place = output->lines[output->count % WORKER_OUTPUT_LINES];

	if (output->len == 0)
		return;
	text_quote_words(BYTES((const uint8_t *)output->line, output->len), place);
	output->len = 0;
	output->count++;
	if (output->said != NULL)
		output->said(output, place);
}

static void take(struct worker_output *output, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			end_line(output);
		else if (output->len < sizeof(output->line))
			output->line[output->len++] = bytes[i];
	}
}

/* False when there is no more now, or never again. */
static bool read_piece(struct worker_output *output)
{
	char piece[PIECE];
	ssize_t got = read(output->fd, piece, sizeof(piece));

	if (got < 0)
		return errno == EINTR;
	output->ended = got == 0;
	take(output, piece, (size_t)got);
	return got > 0;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct worker_output *output =
		(struct worker_output *)((char *)timer - offsetof(struct worker_output, pause));

	if (!output->ended && uv_poll_start(&output->poll, UV_READABLE, on_readable) != 0)
		log_warning("a worker's output is read no more");
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct worker_output *output =
		(struct worker_output *)((char *)poll - offsetof(struct worker_output, poll));

	(void)status;
	(void)events;
	uv_poll_stop(poll);
	(void)read_piece(output);
	uv_timer_start(&output->pause, on_pause_over, PAUSE_MS, 0);
}

enum ks_error worker_output_start(struct worker_output *output, uv_loop_t *loop)
{
	if (output->fd < 0 || uv_poll_init(loop, &output->poll, output->fd) != 0)
		return KS_NO_MEMORY;
	uv_timer_init(loop, &output->pause);
	output->poll.data = output->owner;
	output->pause.data = output->owner;
	output->started = true;
	uv_unref((uv_handle_t *)&output->pause);
	uv_unref((uv_handle_t *)&output->poll);
	on_pause_over(&output->pause);
	return KS_OK;
}

void worker_output_drain(struct worker_output *output)
{
	for (int i = 0;
		output->fd >= 0 && !output->ended && i < PIECES_AT_THE_END && read_piece(output);
		i++)
		continue;
	end_line(output);
}

const char *worker_output_line(const struct worker_output *output, unsigned before)
{
	if (before >= output->count || before >= WORKER_OUTPUT_LINES)
		return NULL;
	return output->lines[(output->count - 1 - before) % WORKER_OUTPUT_LINES];
}

void worker_output_close(struct worker_output *output, uv_close_cb closed)
{
	if (output->started) {
		uv_close((uv_handle_t *)&output->poll, closed);
		uv_close((uv_handle_t *)&output->pause, closed);
	}
	output->started = false;
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}
