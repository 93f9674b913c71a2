/*
 * A socket in the event loop, over a socketpair: everything that is sent arrives in order, a peer
 * that has gone is noticed also while nobody reads, and nothing is read before it is wanted.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"
#include "test.h"

#define LARGE ((size_t)1 << 20) /* more than a socket takes at once */
#define TURNS_MAX 100000

struct bed {
	uv_loop_t loop;
	struct stream stream;
	int peer;
	unsigned drained, gone, closed, readable;
	struct buf got; /* what readable() took */
	int fd;		/* that came with it */
	bool end;	/* recv() said so */
	bool lazy;	/* readable() takes nothing and switches reading off */
};

static void on_readable(struct stream *stream)
{
	struct bed *bed = stream->owner;
	uint8_t piece[4096];
	ssize_t got;

	bed->readable++;
	if (bed->lazy) {
		stream_read(stream, false);
		return;
	}
	got = stream_receive(stream, piece, sizeof(piece), &bed->fd);
	if (got > 0)
		buf_put(&bed->got, BYTES(piece, (size_t)got));
	bed->end = got == 0;
	if (bed->end)
		stream_read(stream, false);
}

static void on_drained(struct stream *stream)
{
	((struct bed *)stream->owner)->drained++;
}

static void on_gone(struct stream *stream)
{
	struct bed *bed = stream->owner;

	bed->gone++;
	stream_close(stream);
}

static void on_closed(struct stream *stream)
{
	((struct bed *)stream->owner)->closed++;
}

static const struct stream_events events = {
	.readable = on_readable, .drained = on_drained, .gone = on_gone, .closed = on_closed};

static int make_bed(void **state)
{
	static struct bed bed;
	int ends[2];

	bed = (struct bed){.fd = -1};
	if (uv_loop_init(&bed.loop) != 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	bed.peer = ends[1];
	*state = &bed;
	return stream_init(&bed.stream, &bed.loop, ends[0], &events, &bed) == KS_OK ? 0 : -1;
}

static int free_bed(void **state)
{
	struct bed *bed = *state;

	stream_close(&bed->stream);
	while (uv_run(&bed->loop, UV_RUN_DEFAULT) != 0)
		continue;
	if (bed->peer >= 0)
		close(bed->peer);
	if (bed->fd >= 0)
		close(bed->fd);
	buf_deinit(&bed->got);
	assert_int_equal(bed->closed, 1);
	return uv_loop_close(&bed->loop);
}

/* What is to happen has happened when the loop has no more to do at once. */
static void settle(struct bed *bed)
{
	for (int i = 0; i < 20; i++)
		uv_run(&bed->loop, UV_RUN_NOWAIT);
}

/* Nothing that goes on being true may wake the loop without end. */
static void assert_asleep(struct bed *bed)
{
	struct pollfd wait = {.fd = uv_backend_fd(&bed->loop), .events = POLLIN};

	assert_int_equal(poll(&wait, 1, 0), 0);
}

static void hang_up(struct bed *bed)
{
	close(bed->peer);
	bed->peer = -1;
}

static void send_text(struct bed *bed, const char *text, int fd)
{
	struct buf content = {0};

	buf_put(&content, bytes_of(text));
	assert_int_equal(stream_send(&bed->stream, &content, fd), KS_OK);
	assert_null(content.data); /* taken */
}

static void what_fits_is_sent_at_once(void **state)
{
	struct bed *bed = *state;
	char got[8] = "";

	send_text(bed, "hello", -1);
	assert_true(stream_idle(&bed->stream));
	assert_int_equal(recv(bed->peer, got, sizeof(got), MSG_DONTWAIT), 5);
	assert_memory_equal(got, "hello", 5);
}

/* Numbers, so that order and completeness show. */
static void send_large(struct bed *bed)
{
	struct buf content = {.max = LARGE};

	for (uint32_t i = 0; i < LARGE / 4; i++)
		buf_put_u32(&content, i);
	assert_int_equal(stream_send(&bed->stream, &content, -1), KS_OK);
}

static void what_does_not_fit_leaves_as_the_peer_reads(void **state)
{
	struct bed *bed = *state;
	struct buf all = {.max = LARGE + 4096};
	struct reader reader;

	send_large(bed);
	send_text(bed, "end", -1);
	assert_false(stream_idle(&bed->stream));
	settle(bed);
	assert_int_equal(bed->drained, 0);
	for (int i = 0; i < TURNS_MAX && all.len < LARGE + 3; i++) {
		uint8_t *room = buf_reserve(&all, 1024);
		ssize_t got = recv(bed->peer, room, 1024, MSG_DONTWAIT);

		if (got > 0)
			all.len += (size_t)got;
		uv_run(&bed->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(all.len, LARGE + 3);
	assert_true(stream_idle(&bed->stream));
	assert_int_equal(bed->drained, 1);
	reader = reader_of(buf_bytes(&all));
	for (uint32_t i = 0; i < LARGE / 4; i++)
		assert_int_equal(reader_u32(&reader), i);
	assert_true(bytes_equal_text(BYTES(reader.data, reader.left), "end"));
	buf_deinit(&all);
}

static void nothing_is_read_before_it_is_wanted(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(send(bed->peer, "early", 5, 0), 5);
	settle(bed);
	assert_int_equal(bed->readable, 0);
	stream_read(&bed->stream, true);
	settle(bed);
	assert_true(bytes_equal_text(buf_bytes(&bed->got), "early"));
	stream_read(&bed->stream, false);
	assert_int_equal(send(bed->peer, "more", 4, 0), 4);
	settle(bed);
	assert_true(bytes_equal_text(buf_bytes(&bed->got), "early"));
	assert_int_equal(bed->gone, 0);
	stream_read(&bed->stream, true);
	settle(bed);
	assert_true(bytes_equal_text(buf_bytes(&bed->got), "earlymore"));
}

/* Bytes that nobody wants must not keep the loop busy. */
static void unread_bytes_do_not_wake_the_loop_again_and_again(void **state)
{
	struct bed *bed = *state;

	bed->lazy = true;
	stream_read(&bed->stream, true);
	assert_int_equal(send(bed->peer, "unread", 6, 0), 6);
	settle(bed);
	assert_int_equal(bed->readable, 1);
	assert_int_equal(bed->stream.armed & UV_READABLE, 0);
	assert_asleep(bed);
	bed->lazy = false;
	stream_read(&bed->stream, true);
	settle(bed);
	assert_true(bytes_equal_text(buf_bytes(&bed->got), "unread"));
}

static void a_peer_that_goes_is_noticed_though_nobody_reads(void **state)
{
	struct bed *bed = *state;

	stream_read(&bed->stream, true);
	stream_read(&bed->stream, false);
	settle(bed);
	hang_up(bed);
	settle(bed);
	assert_int_equal(bed->gone, 1);
	assert_int_equal(bed->readable, 0);
}

/* The request was read, its answer is awaited: the state in which most clients go. */
static void a_peer_that_goes_while_it_waits_for_an_answer_is_noticed(void **state)
{
	struct bed *bed = *state;

	stream_read(&bed->stream, true);
	assert_int_equal(send(bed->peer, "request", 7, 0), 7);
	settle(bed);
	assert_true(bytes_equal_text(buf_bytes(&bed->got), "request"));
	stream_read(&bed->stream, false);
	settle(bed);
	hang_up(bed);
	settle(bed);
	assert_int_equal(bed->gone, 1);
}

static void a_peer_that_only_stopped_sending_still_hears_the_answer(void **state)
{
	struct bed *bed = *state;
	char got[8];

	stream_read(&bed->stream, true);
	stream_read(&bed->stream, false);
	settle(bed);
	assert_int_equal(shutdown(bed->peer, SHUT_WR), 0);
	settle(bed);
	assert_int_equal(bed->gone, 0);
	assert_asleep(bed);
	send_text(bed, "answer", -1);
	assert_int_equal(recv(bed->peer, got, sizeof(got), MSG_DONTWAIT), 6);
	stream_read(&bed->stream, true);
	settle(bed);
	assert_true(bed->end);
	assert_int_equal(bed->gone, 0);
}

static void a_peer_that_goes_with_bytes_unsent_is_noticed(void **state)
{
	struct bed *bed = *state;

	send_large(bed);
	assert_false(stream_idle(&bed->stream));
	hang_up(bed);
	settle(bed);
	assert_int_equal(bed->gone, 1);
}

static void sending_to_a_peer_that_has_gone_fails(void **state)
{
	struct bed *bed = *state;
	struct buf content = {0};
	int ends[2];

	hang_up(bed);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	buf_put_u32(&content, 1);
	assert_int_equal(stream_send(&bed->stream, &content, ends[0]), KS_DEVICE_FAILED);
	assert_null(content.data);
	close(ends[1]);
	stream_close(&bed->stream); /* with the descriptor, which was taken */
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
}

static void a_descriptor_goes_along_once_and_is_closed_here(void **state)
{
	struct bed *bed = *state;
	struct stream other;
	struct bed receiver = {.fd = -1};
	int ends[2];
	char byte = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "p", 1), 1);
	close(ends[1]);
	send_text(bed, "take", ends[0]);
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
	assert_int_equal(stream_init(&other, &bed->loop, bed->peer, &events, &receiver), KS_OK);
	bed->peer = -1;
	stream_read(&other, true);
	settle(bed);
	assert_true(bytes_equal_text(buf_bytes(&receiver.got), "take"));
	assert_true(receiver.fd >= 0);
	assert_int_equal(read(receiver.fd, &byte, 1), 1);
	assert_int_equal(byte, 'p');
	close(receiver.fd);
	stream_close(&other);
	settle(bed);
	assert_int_equal(receiver.closed, 1);
	buf_deinit(&receiver.got);
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void send_descriptors(int to, int count)
{
	char space[CMSG_SPACE(4 * sizeof(int))] = {0};
	struct iovec part = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	for (int i = 0; i < count; i++)
		memcpy(CMSG_DATA(header) + (size_t)i * sizeof(int), &to, sizeof(int));
	assert_int_equal(sendmsg(to, &message, 0), 1);
}

static void descriptors_that_nobody_wants_are_closed(void **state)
{
	struct bed *bed = *state;
	unsigned before = open_descriptors();
	uint8_t byte;
	int fd = -1;

	send_descriptors(bed->peer, 4);
	assert_int_equal(stream_receive(&bed->stream, &byte, 1, NULL), 1);
	assert_int_equal(open_descriptors(), before);
	send_descriptors(bed->peer, 4);
	assert_int_equal(stream_receive(&bed->stream, &byte, 1, &fd), 1);
	assert_true(fd >= 0);
	assert_int_equal(open_descriptors(), before + 1);
	close(fd);
	assert_int_equal(stream_receive(&bed->stream, &byte, 1, &fd), -1);
	assert_int_equal(fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bed, free_bed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_fits_is_sent_at_once),
		TEST(what_does_not_fit_leaves_as_the_peer_reads),
		TEST(nothing_is_read_before_it_is_wanted),
		TEST(unread_bytes_do_not_wake_the_loop_again_and_again),
		TEST(a_peer_that_goes_is_noticed_though_nobody_reads),
		TEST(a_peer_that_goes_while_it_waits_for_an_answer_is_noticed),
		TEST(a_peer_that_only_stopped_sending_still_hears_the_answer),
		TEST(a_peer_that_goes_with_bytes_unsent_is_noticed),
		TEST(sending_to_a_peer_that_has_gone_fails),
		TEST(a_descriptor_goes_along_once_and_is_closed_here),
		TEST(descriptors_that_nobody_wants_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
