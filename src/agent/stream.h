/*
 * A connected socket in the event loop: sends what it is given as fast as the peer takes
 * it, with a descriptor where one goes along, and tells when there is something to read,
 * when everything has left, and when the peer has gone, also while nobody reads.
 * Clients, workers and control connections are built on it.
 */
#ifndef AGENT_STREAM_H
#define AGENT_STREAM_H

#include <uv.h>

#include <keystile/buffer.h>

struct stream;

struct stream_events {
	void (*readable)(struct stream *stream);
	/* Everything sent has left. Optional. */
	void (*drained)(struct stream *stream);
	/* The peer closed, or the socket failed. Not called for an end that recv() reports. */
	void (*gone)(struct stream *stream);
	/* After stream_close(): the memory may be given back. */
	void (*closed)(struct stream *stream);
};

struct outgoing;

struct stream {
	uv_poll_t poll;
	int fd;
	const struct stream_events *events;
	void *owner;
	struct outgoing *out;
	int armed; /* what the poll handle waits for, of enum uv_poll_event */
	bool reading;
	bool half_closed; /* the peer sends no more but still listens */
	bool closing;
};

/* Takes fd (also on failure), makes it non-blocking; reading is off. */
KS_MUST_CHECK enum ks_error stream_init(struct stream *stream, uv_loop_t *loop, int fd,
	const struct stream_events *events, void *owner);
void stream_read(struct stream *stream, bool on);
/*
 * Sends content, which is taken and left empty, and fd, which is taken unless -1. KS_DEVICE_FAILED
 * when the peer has gone: the caller closes.
 */
KS_MUST_CHECK enum ks_error stream_send(struct stream *stream, struct buf *content, int fd);
bool stream_idle(const struct stream *stream); /* nothing waits to be sent */
void stream_close(struct stream *stream);      /* drops what was not sent; closed() follows */

/*
 * One recvmsg(). Bytes read, 0 at the end, -1 when there is nothing now, -2 on failure. Descriptors
 * that came along are closed, but for the first when fd is not NULL (-1 when none came).
 */
ssize_t stream_receive(struct stream *stream, void *data, size_t len, int *fd);

#endif
