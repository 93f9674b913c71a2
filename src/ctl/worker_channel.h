/*
 * The command's end of the socket to a worker of its own: one frame out, one frame in, each before
 * a deadline.
 */
#ifndef KEYSTILE_CTL_WORKER_CHANNEL_H
#define KEYSTILE_CTL_WORKER_CHANNEL_H

#include <keystile/frame.h>

struct worker_channel {
	int fd;
	int64_t deadline_ms; /* of channel_now_ms(), for receiving */
	struct buf body;     /* of the last frame, which borrows from it */
};

int64_t channel_now_ms(void);

void worker_channel_init(struct worker_channel *channel, int fd);
void worker_channel_deinit(struct worker_channel *channel); /* closes */

/* fd is -1 or goes along, and stays the caller's. KS_DEVICE_FAILED: the worker has gone. */
KS_MUST_CHECK enum ks_error worker_channel_send(
	struct worker_channel *channel, const struct frame *frame, int fd);
/*
 * The next frame; frame_deinit() is due after KS_OK. KS_TIMEOUT: none came; KS_DEVICE_FAILED: the
 * worker has gone; KS_BAD_INPUT: that was none, or not one of a worker's.
 */
KS_MUST_CHECK enum ks_error worker_channel_receive(
	struct worker_channel *channel, struct frame *frame);

#endif
