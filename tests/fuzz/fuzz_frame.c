/*
 * Frames from a hostile other end: whatever is taken has exactly one form, so writing
 * it again gives the very bytes that were read.
 */
#include <stdlib.h>

#include <keystile/cleanup.h>
#include <keystile/frame.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Of a hello in another version the rest is not kept. */
static bool is_kept_whole(const struct frame *frame)
{
	return frame->type != FRAME_HELLO || frame->hello.version == FRAME_VERSION;
}

static void encode(const struct frame *frame, struct buf *out)
{
	frame_encode(frame, out);
	require(buf_status(out) == KS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO(buf) first = {0}, second = {0};
	struct frame frame, again;

	if (frame_decode(BYTES(data, len), &frame) != KS_OK)
		return 0;
	require(frame_from_agent(frame.type) || frame_from_worker(frame.type));
	encode(&frame, &first);
	if (is_kept_whole(&frame))
		require(bytes_equal(BYTES(data, len),
			BYTES(first.data + FRAME_HEADER, first.len - FRAME_HEADER)));
	require(frame_decode(BYTES(first.data + FRAME_HEADER, first.len - FRAME_HEADER), &again) ==
		KS_OK);
	require(frame_has_fd(&again) == frame_has_fd(&frame));
	encode(&again, &second);
	require(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	frame_deinit(&again);
	frame_deinit(&frame);
	return 0;
}
