/*
 * Non-blocking sockets on libuv's poll handles. libuv's own streams are not used: they
 * read into buffers chosen before the message is known, and they pass only descriptors
 * that libuv has handles for.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct outgoing {
	struct outgoing *next;
	struct buf content;
	size_t sent;
	int fd;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void arm(struct stream *stream)
{
	int wanted = stream->half_closed ? UV_PRIORITIZED : UV_DISCONNECT;

	if (stream->closing)
		return;
	if (stream->reading)
		wanted |= UV_READABLE;
	if (stream->out != NULL)
		wanted |= UV_WRITABLE;
	if (wanted == stream->armed)
		return;
	stream->armed = wanted;
	uv_poll_start(&stream->poll, wanted, on_poll);
}

static void outgoing_free(struct outgoing *piece)
{
	buf_deinit(&piece->content);
	if (piece->fd >= 0)
		close(piece->fd);
	free(piece);
}

/* The number of bytes sent, 0 when the socket is full, -1 when it failed. */
static ssize_t send_piece(int fd, struct outgoing *piece)
{
	struct iovec part = {.iov_base = piece->content.data + piece->sent,
		.iov_len = piece->content.len - piece->sent};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t sent;

	if (piece->fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &piece->fd, sizeof(int));
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
	}
	sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -1;
	if (piece->fd >= 0 && sent > 0) {
		close(piece->fd);
		piece->fd = -1;
	}
	return sent;
}

static enum ks_error flush(struct stream *stream)
{
	while (stream->out != NULL) {
		struct outgoing *piece = stream->out;
		ssize_t sent = send_piece(stream->fd, piece);

		if (sent < 0)
			return KS_DEVICE_FAILED;
		if (sent == 0)
			break;
		piece->sent += (size_t)sent;
		if (piece->sent < piece->content.len)
			continue;
		stream->out = piece->next;
		outgoing_free(piece);
	}
	return KS_OK;
}

/* A client that only shut down its sending half is still there to hear the answer. */
static bool peer_closed(struct stream *stream)
{
	struct pollfd state = {.fd = stream->fd};

	return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* A poll handle that is started anew costs two system calls; a request would cost four of them. */
static bool armed_enough(const struct stream *stream, int events)
{
	bool unwanted = !stream->reading && (events & UV_READABLE) != 0;

	return !unwanted && stream->out == NULL && !stream->half_closed &&
	       (stream->armed & UV_WRITABLE) == 0 &&
	       (!stream->reading || (stream->armed & UV_READABLE) != 0);
}

static void end_polling(struct stream *stream)
{
	stream->armed = 0;
	uv_poll_stop(&stream->poll);
	stream->events->gone(stream);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct stream *stream = poll->data;
	bool was_reading = stream->reading;
	bool wrote = (events & UV_WRITABLE) != 0 && stream->out != NULL;

	if (status < 0 || (wrote && flush(stream) != KS_OK)) {
		end_polling(stream);
		return;
	}
	if (wrote && stream->out == NULL && stream->events->drained != NULL)
		stream->events->drained(stream);
	if (stream->closing)
		return;
	if (stream->reading && (events & (UV_READABLE | UV_DISCONNECT | UV_PRIORITIZED)) != 0) {
		stream->events->readable(stream);
	} else if ((events & (UV_DISCONNECT | UV_PRIORITIZED)) != 0) {
		if (peer_closed(stream)) {
			end_polling(stream);
			return;
		}
		stream->half_closed = true;
	}
	if (stream->closing || armed_enough(stream, was_reading ? 0 : events))
		return;
	arm(stream);
}

enum ks_error stream_init(struct stream *stream, uv_loop_t *loop, int fd,
	const struct stream_events *events, void *owner)
{
	*stream = (struct stream){.fd = fd, .events = events, .owner = owner};
	if (uv_poll_init(loop, &stream->poll, fd) != 0) {
		close(fd);
		return KS_NO_MEMORY;
	}
	stream->poll.data = stream;
	return KS_OK;
}

void stream_read(struct stream *stream, bool on)
{
	stream->reading = on;
	/* Off is lazy: most clients wait for the answer, so nothing becomes readable meanwhile. */
	if (on || stream->armed == 0)
		arm(stream);
}

enum ks_error stream_send(struct stream *stream, struct buf *content, int fd)
{
	struct outgoing *piece = calloc(1, sizeof(*piece));
	struct outgoing **end = &stream->out;
	enum ks_error error;

	if (piece == NULL || buf_status(content) != KS_OK || stream->closing) {
		free(piece);
		buf_deinit(content);
		if (fd >= 0)
			close(fd);
		return stream->closing ? KS_DEVICE_FAILED : KS_NO_MEMORY;
	}
	piece->content = *content;
	piece->fd = fd;
	*content = (struct buf){0};
	while (*end != NULL)
		end = &(*end)->next;
	*end = piece;
	error = flush(stream);
	if (stream->out != NULL)
		arm(stream);
	return error;
}

bool stream_idle(const struct stream *stream)
{
	return stream->out == NULL;
}

static void on_closed(uv_handle_t *handle)
{
	struct stream *stream = handle->data;

	stream->events->closed(stream);
}

void stream_close(struct stream *stream)
{
	if (stream->closing)
		return;
	stream->closing = true;
	while (stream->out != NULL) {
		struct outgoing *piece = stream->out;

		stream->out = piece->next;
		outgoing_free(piece);
	}
	uv_poll_stop(&stream->poll);
	uv_close((uv_handle_t *)&stream->poll, on_closed);
	close(stream->fd);
	stream->fd = -1;
}

/* Keeps the first descriptor where it is wanted; every other is closed. */
static void sort_descriptors(struct msghdr *message, int *wanted)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
		header = CMSG_NXTHDR(message, header)) {
		size_t count;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			if (wanted != NULL && *wanted < 0)
				*wanted = fd;
			else
				close(fd);
		}
	}
}

ssize_t stream_receive(struct stream *stream, void *data, size_t len, int *fd)
{
	struct iovec part = {.iov_base = data, .iov_len = len};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t got;

	if (fd != NULL) {
		*fd = -1;
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
	}
	got = recvmsg(stream->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? -1 : -2;
	if (fd != NULL)
		sort_descriptors(&message, fd);
	return got;
}
