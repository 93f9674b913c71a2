/*
 * The worker's end of the socket to its agent: frames in, with the descriptors that came
 * with them, and frames out. Reading is one thread's at a time, writing is anybody's.
 */
#ifndef KEYSTILE_WORKER_CHANNEL_H
#define KEYSTILE_WORKER_CHANNEL_H

#include <pthread.h>

#include <keystile/frame.h>

#define CHANNEL_FD 3 /* where every worker finds its socket */
/* Where one that will run foreign code has its own memory, opened while it still could. */
#define MEMORY_FD (CHANNEL_FD + 1)

struct channel {
	int fd;
	pthread_mutex_t writing;
	struct buf out; /* under writing */
};

/* A frame with the bytes it borrows from and its descriptor, -1 for none. */
struct incoming {
	struct buf body;
	struct frame frame;
	bool decoded;
	int fd;
};

enum channel_result {
	CHANNEL_FRAME,
	CHANNEL_END, /* the agent closed its end */
	CHANNEL_BAD, /* what came is no frame, or a descriptor came or lacks against the rules */
};

void channel_init(struct channel *channel, int fd);

/* Blocks for one frame, which replaces what incoming held. Reads nothing beyond its end. */
KS_MUST_CHECK enum channel_result channel_receive(
	struct channel *channel, struct incoming *incoming);
/* The same from a SOCK_SEQPACKET socket, where each frame is a message of at most this size. */
#define CHANNEL_MESSAGE_MAX ((size_t)16 * 1024)
KS_MUST_CHECK enum channel_result channel_receive_message(
	struct channel *channel, struct incoming *incoming);
void incoming_init(struct incoming *incoming);
void incoming_clear(struct incoming *incoming); /* wipes, closes the descriptor; keeps memory */

/*
 * Sends one frame whole; blocks while the agent does not read. When the agent has gone the
 * frame is lost, which the reading side notices. KS_NO_MEMORY: it does not fit into
 * memory or FRAME_MAX, and nothing was sent.
 */
KS_MUST_CHECK enum ks_error channel_send(struct channel *channel, const struct frame *frame);
/* The same with a descriptor, which stays the caller's. */
KS_MUST_CHECK enum ks_error channel_send_with(
	struct channel *channel, const struct frame *frame, int fd);

#endif
