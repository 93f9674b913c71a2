/*
 * Frames over the inherited stream socket, read one by one. Nothing is read beyond the end of
 * one: what is left in the socket is what wakes the next thread.
 */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_MAX ((size_t)16 * 1024) /* memory that stays with an empty buffer */

void channel_init(struct channel *channel, int fd)
{
	memset(channel, 0, sizeof(*channel));
	channel->fd = fd;
	buf_init(&channel->out, FRAME_HEADER + FRAME_MAX);
	pthread_mutex_init(&channel->writing, NULL);
}

/* Clearing wipes all of the memory: a large frame must not make every later one slow. */
static void clear_and_shrink(struct buf *buf)
{
	size_t max = buf->max;

	if (buf->cap <= KEPT_MAX) {
		buf_clear(buf);
		return;
	}
	buf_deinit(buf);
	buf_init(buf, max);
}

void incoming_init(struct incoming *incoming)
{
	memset(incoming, 0, sizeof(*incoming));
	buf_init(&incoming->body, FRAME_MAX);
	incoming->fd = -1;
}

void incoming_clear(struct incoming *incoming)
{
	if (incoming->decoded)
		frame_deinit(&incoming->frame);
	incoming->decoded = false;
	clear_and_shrink(&incoming->body);
	if (incoming->fd >= 0)
		close(incoming->fd);
	incoming->fd = -1;
}

/* Keeps the one descriptor that a frame may bring; others are closed, and fail the channel. */
static bool keep_descriptors(struct incoming *incoming, const struct cmsghdr *control)
{
	size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
		if (i == 0 && incoming->fd < 0)
			incoming->fd = fd;
		else
			close(fd);
	}
	return count == 1;
}

static bool take_control(struct incoming *incoming, struct msghdr *message)
{
	bool good = (message->msg_flags & MSG_CTRUNC) == 0;
	bool empty = incoming->fd < 0;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
		control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			return false;
		good = keep_descriptors(incoming, control) && empty && good;
		empty = false;
	}
	return good;
}

/* As many bytes as came and fit, with what came along. Not good: more came than may. */
static ssize_t receive_some(int fd, struct incoming *incoming, uint8_t *out, size_t len, bool *good)
{
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec room = {.iov_base = out, .iov_len = len};
	struct msghdr message = {.msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	ssize_t got;

	do {
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	*good = got <= 0 ||
		(take_control(incoming, &message) && (message.msg_flags & MSG_TRUNC) == 0);
	return got;
}

/* Reads exactly len bytes, so that no other frame's bytes or descriptor are taken with them. */
static enum channel_result receive_exactly(
	struct channel *channel, struct incoming *incoming, uint8_t *out, size_t len)
{
	while (len > 0) {
		bool good;
		ssize_t got = receive_some(channel->fd, incoming, out, len, &good);

		if (got <= 0)
			return CHANNEL_END;
		if (!good)
			return CHANNEL_BAD;
		out += got;
		len -= (size_t)got;
	}
	return CHANNEL_FRAME;
}

enum channel_result channel_receive(struct channel *channel, struct incoming *incoming)
{
	uint8_t header[FRAME_HEADER];

	incoming_clear(incoming);
	enum channel_result result = receive_exactly(channel, incoming, header, sizeof(header));
	if (result != CHANNEL_FRAME)
		return result;
	struct reader reader = reader_of(BYTES(header, sizeof(header)));
	size_t len = reader_u32(&reader);
	uint8_t *room = len <= FRAME_MAX ? buf_reserve(&incoming->body, len) : NULL;
	if (room == NULL)
		return CHANNEL_BAD;
	result = receive_exactly(channel, incoming, room, len);
	if (result != CHANNEL_FRAME)
		return result;
	incoming->body.len = len;
	if (frame_decode(buf_bytes(&incoming->body), &incoming->frame) != KS_OK)
		return CHANNEL_BAD;
	incoming->decoded = true;
	return frame_has_fd(&incoming->frame) == (incoming->fd >= 0) ? CHANNEL_FRAME : CHANNEL_BAD;
}

enum channel_result channel_receive_message(struct channel *channel, struct incoming *incoming)
{
	incoming_clear(incoming);
	uint8_t *room = buf_reserve(&incoming->body, CHANNEL_MESSAGE_MAX);
	bool good;
	if (room == NULL)
		return CHANNEL_BAD;
	ssize_t got = receive_some(channel->fd, incoming, room, CHANNEL_MESSAGE_MAX, &good);
	if (got <= 0)
		return CHANNEL_END;
	incoming->body.len = (size_t)got;
	struct reader reader = reader_of(buf_bytes(&incoming->body));
	struct bytes frame = reader_string(&reader);
	if (!good || reader_end(&reader) != KS_OK || frame_decode(frame, &incoming->frame) != KS_OK)
		return CHANNEL_BAD;
	incoming->decoded = true;
	return frame_has_fd(&incoming->frame) == (incoming->fd >= 0) ? CHANNEL_FRAME : CHANNEL_BAD;
}

static ssize_t send_some(struct channel *channel, struct bytes bytes, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd < 0)
		return send(channel->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	message.msg_control = control.space;
	message.msg_controllen = sizeof(control.space);
	return sendmsg(channel->fd, &message, MSG_NOSIGNAL);
}

/* Half a frame can't be taken back: after an error both ends see the end of the stream. */
static void send_all(struct channel *channel, struct bytes bytes, int fd)
{
	while (bytes.len > 0) {
		ssize_t sent = send_some(channel, bytes, fd);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			shutdown(channel->fd, SHUT_RDWR);
			return;
		}
		bytes.data += sent;
		bytes.len -= (size_t)sent;
		fd = -1;
	}
}

enum ks_error channel_send_with(struct channel *channel, const struct frame *frame, int fd)
{
	pthread_mutex_lock(&channel->writing);
	frame_encode(frame, &channel->out);
	enum ks_error error = buf_status(&channel->out);
	if (error == KS_OK)
		send_all(channel, buf_bytes(&channel->out), fd);
	clear_and_shrink(&channel->out);
	pthread_mutex_unlock(&channel->writing);
	return error;
}

enum ks_error channel_send(struct channel *channel, const struct frame *frame)
{
	return channel_send_with(channel, frame, -1);
}
