/*
 * Reads nothing beyond the end of a frame, and takes no descriptors: a worker has none to give.
 */
#include "worker_channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "progress.h"

int64_t channel_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void worker_channel_init(struct worker_channel *channel, int fd)
{
	*channel = (struct worker_channel){.fd = fd};
	buf_init(&channel->body, FRAME_MAX);
}

void worker_channel_deinit(struct worker_channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	buf_deinit(&channel->body);
}

/* ---- Sending ---- */

/* The descriptor goes with the first byte. */
static ssize_t send_piece(int socket_fd, struct bytes bytes, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	union {
		const uint8_t *borrowed;
		uint8_t *data;
	} same = {.borrowed = bytes.data};
	struct iovec piece = {.iov_base = same.data, .iov_len = bytes.len};
	struct msghdr out = {.msg_iov = &piece, .msg_iovlen = 1};

	if (fd >= 0) {
		out.msg_control = ancillary.space;
		out.msg_controllen = sizeof(ancillary.space);
		ancillary.header.cmsg_level = SOL_SOCKET;
		ancillary.header.cmsg_type = SCM_RIGHTS;
		ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
	}
	return sendmsg(socket_fd, &out, MSG_NOSIGNAL);
}

enum ks_error worker_channel_send(struct worker_channel *channel, const struct frame *frame, int fd)
{
	AUTO(buf) out = {.max = FRAME_HEADER + FRAME_MAX};
	struct bytes left;

	frame_encode(frame, &out);
	if (buf_status(&out) != KS_OK)
		return KS_NO_MEMORY;
	left = buf_bytes(&out);
	while (left.len > 0) {
		ssize_t sent = send_piece(channel->fd, left, fd);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return KS_DEVICE_FAILED;
		fd = -1;
		left = BYTES(left.data + sent, left.len - (size_t)sent);
	}
	return KS_OK;
}

/* ---- Receiving ---- */

/* False: time is over. */
static bool wait_for_bytes(const struct worker_channel *channel)
{
	struct progress progress;
	bool there = false;

	progress_begin(&progress, channel_now_ms());
	while (!there) {
		struct pollfd end = {.fd = channel->fd, .events = POLLIN};
		int64_t left_ms = channel->deadline_ms - channel_now_ms();

		if (left_ms <= 0)
			break;
		there = poll(&end, 1,
				left_ms < PROGRESS_STEP_MS ? (int)left_ms : PROGRESS_STEP_MS) > 0;
		if (!there)
			progress_show(&progress, channel_now_ms());
	}
	progress_end(&progress);
	return there;
}

static enum ks_error receive_bytes(const struct worker_channel *channel, uint8_t *at, size_t len)
{
	while (len > 0) {
		ssize_t got;

		if (!wait_for_bytes(channel))
			return KS_TIMEOUT;
		got = recv(channel->fd, at, len, MSG_DONTWAIT);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return KS_DEVICE_FAILED;
		at += got;
		len -= (size_t)got;
	}
	return KS_OK;
}

enum ks_error worker_channel_receive(struct worker_channel *channel, struct frame *frame)
{
	uint8_t header[FRAME_HEADER];
	enum ks_error error = receive_bytes(channel, header, sizeof(header));
	struct reader reader = reader_of(BYTES(header, sizeof(header)));
	size_t len = error == KS_OK ? reader_u32(&reader) : 0;
	uint8_t *room;

	if (error != KS_OK)
		return error;
	buf_clear(&channel->body);
	room = len <= FRAME_MAX ? buf_reserve(&channel->body, len) : NULL;
	if (room == NULL)
		return KS_BAD_INPUT;
	error = receive_bytes(channel, room, len);
	if (error != KS_OK)
		return error;
	channel->body.len = len;
	error = frame_decode(buf_bytes(&channel->body), frame);
	if (error != KS_OK || frame_from_worker(frame->type))
		return error;
	frame_deinit(frame);
	return KS_BAD_INPUT;
}
