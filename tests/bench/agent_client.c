/*
 * The clients of the benchmarks, in C so that the figures are the agent's: one program that asks
 * any agent for signatures and lists, many at once or one after the other, and prints numbers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <keystile/cleanup.h>

#define LIST 11
#define LIST_REPLY 12
#define SIGN 13
#define SIGN_REPLY 14
#define SUCCESS 6
#define MESSAGE_MAX ((size_t)256 * 1024)
#define CONNECTIONS_MAX 16384
#define GREEDY_REQUESTS 256 /* sent in one piece */
#define GREEDY_STILL_MS 300
#define ANSWER_MS 20000

struct bench {
	const char *socket;
	struct buf key;
	uint32_t flags;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "agent-client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int dial(const struct bench *bench)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(bench->socket) >= sizeof(address.sun_path))
		fail("socket");
	memcpy(address.sun_path, bench->socket, strlen(bench->socket) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail(bench->socket);
	return fd;
}

/* A request with its length; what is signed looks like no login, as data of ssh-add -T does. */
static void put_request(const struct bench *bench, uint8_t type, struct buf *out)
{
	static const uint8_t data[256] = "keystile benchmark";
	size_t opened = buf_open_string(out);

	buf_put_u8(out, type);
	if (type == SIGN) {
		buf_put_string(out, buf_bytes(&bench->key));
		buf_put_string(out, BYTES(data, sizeof(data)));
		buf_put_u32(out, bench->flags);
	}
	buf_close_string(out, opened);
	if (buf_status(out) != KS_OK)
		fail("out of memory");
}

static void send_all(int fd, struct bytes bytes)
{
	while (bytes.len > 0) {
		ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (sent <= 0)
			fail("send");
		bytes.data += sent;
		bytes.len -= (size_t)sent;
	}
}

/* True when one whole reply of the expected type came in time. */
static bool receive(int fd, uint8_t expected, int timeout_ms)
{
	static _Thread_local uint8_t reply[MESSAGE_MAX];
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t len = 0, wanted = 5;

	while (len < wanted) {
		uint32_t length;
		ssize_t got;

		if (poll(&wait, 1, timeout_ms) != 1)
			return false;
		got = recv(fd, reply + len, sizeof(reply) - len, 0);
		if (got <= 0)
			return false;
		len += (size_t)got;
		memcpy(&length, reply, sizeof(length));
		if (len >= 5)
			wanted = 4 + ntohl(length);
		if (wanted < 5 || wanted > sizeof(reply))
			return false;
	}
	return reply[4] == expected;
}

static uint8_t reply_to(uint8_t type)
{
	return type == LIST ? LIST_REPLY : SIGN_REPLY;
}

/* ---- rate: signatures a second over parallel connections ---- */

struct runner {
	const struct bench *bench;
	pthread_t thread;
	double end_s;
	unsigned long count;
};

static void *run(void *argument)
{
	struct runner *runner = argument;
	AUTO(buf) request = {0};
	AUTO(fd) fd = dial(runner->bench);

	put_request(runner->bench, SIGN, &request);
	while (now_s() < runner->end_s) {
		send_all(fd, buf_bytes(&request));
		if (!receive(fd, SIGN_REPLY, ANSWER_MS))
			fail("a signature was refused");
		runner->count++;
	}
	return NULL;
}

static void rate(const struct bench *bench, unsigned connections, unsigned milliseconds)
{
	struct runner *runners = calloc(connections, sizeof(*runners));
	double start_s = now_s();
	unsigned long count = 0;

	if (runners == NULL)
		fail("out of memory");
	for (unsigned i = 0; i < connections; i++) {
		runners[i] = (struct runner){
			.bench = bench, .end_s = start_s + (double)milliseconds / 1000};
		if (pthread_create(&runners[i].thread, NULL, run, &runners[i]) != 0)
			fail("thread");
	}
	for (unsigned i = 0; i < connections; i++) {
		pthread_join(runners[i].thread, NULL);
		count += runners[i].count;
	}
	printf("%.1f\n", (double)count / (now_s() - start_s));
	free(runners);
}

/* ---- latency: one request after the other on a connection ---- */

static void latency(const struct bench *bench, uint8_t type, unsigned count)
{
	AUTO(buf) request = {0};
	AUTO(fd) fd = dial(bench);

	put_request(bench, type, &request);
	for (unsigned i = 0; i < count; i++) {
		double start_s = now_s();

		send_all(fd, buf_bytes(&request));
		if (!receive(fd, reply_to(type), ANSWER_MS))
			fail("no answer");
		printf("%.1f\n", (now_s() - start_s) * 1e6);
	}
}

/* ---- burst: how many of many connections are answered in time ---- */

static void burst(const struct bench *bench, unsigned count, unsigned milliseconds)
{
	double end_s = now_s() + (double)milliseconds / 1000;
	int *fds = calloc(count, sizeof(*fds));
	unsigned answered = 0;

	for (unsigned i = 0; fds != NULL && i < count; i++) {
		AUTO(buf) request = {0};

		put_request(bench, i % 2 == 0 ? LIST : SIGN, &request);
		fds[i] = dial(bench);
		send_all(fds[i], buf_bytes(&request));
	}
	for (unsigned i = 0; fds != NULL && i < count; i++) {
		double left_s = end_s - now_s();

		answered += receive(fds[i], reply_to(i % 2 == 0 ? LIST : SIGN),
			left_s > 0 ? (int)(left_s * 1000) : 0);
		close(fds[i]);
	}
	printf("%u\n", answered);
	free(fds);
}

/* ---- hold and idle: until standard input ends ---- */

static void await_end_of_input(void)
{
	char piece[64];

	fflush(stdout);
	while (read(STDIN_FILENO, piece, sizeof(piece)) > 0)
		continue;
}

/* A signature is asked for and nobody waits for it here; the agent is left with it. */
static void hold(const struct bench *bench)
{
	AUTO(buf) request = {0};
	AUTO(fd) fd = dial(bench);

	put_request(bench, SIGN, &request);
	send_all(fd, buf_bytes(&request));
	puts("asked");
	await_end_of_input();
}

/* Each is served once, so that the agent has accepted it; prints the time in milliseconds. */
static void idle(const struct bench *bench, unsigned count)
{
	double start_s = now_s();
	AUTO(buf) request = {0};

	put_request(bench, LIST, &request);
	for (unsigned i = 0; i < count; i++) {
		int fd = dial(bench); /* open until the process ends */

		send_all(fd, buf_bytes(&request));
		if (!receive(fd, LIST_REPLY, ANSWER_MS))
			fail("no answer");
	}
	printf("%.1f\n", (now_s() - start_s) * 1e3);
	await_end_of_input();
}

/* ---- greedy: ask for lists as fast as the agent takes it, and never read ---- */

struct greedy {
	struct pollfd *wait; /* the connections, and standard input after them */
	size_t *sent;	     /* of each, of the piece that it sends again and again */
};

static void ask_on(struct greedy *greedy, unsigned which, struct bytes piece)
{
	ssize_t sent = send(greedy->wait[which].fd, piece.data + greedy->sent[which],
		piece.len - greedy->sent[which], MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent > 0)
		greedy->sent[which] = (greedy->sent[which] + (size_t)sent) % piece.len;
	else if (errno != EAGAIN)
		greedy->wait[which].fd = -1; /* closed: poll() looks at it no more */
}

static struct greedy greedy_new(const struct bench *bench, unsigned count)
{
	struct greedy greedy = {.wait = calloc(count + 1, sizeof(*greedy.wait)),
		.sent = calloc(count, sizeof(*greedy.sent))};

	if (greedy.wait == NULL || greedy.sent == NULL)
		fail("out of memory");
	for (unsigned i = 0; i < count; i++)
		greedy.wait[i] = (struct pollfd){.fd = dial(bench), .events = POLLOUT};
	greedy.wait[count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	return greedy;
}

/* Says so once the agent takes no more from anybody, or at the latest after ANSWER_MS. */
static void ask_and_never_read(const struct bench *bench, unsigned count)
{
	struct greedy greedy = greedy_new(bench, count);
	double told_by_s = now_s() + ANSWER_MS / 1e3;
	bool told = false;
	AUTO(buf) piece = {0};

	for (int i = 0; i < GREEDY_REQUESTS; i++)
		put_request(bench, LIST, &piece);
	while (greedy.wait[count].revents == 0) {
		int ready = poll(greedy.wait, count + 1, GREEDY_STILL_MS);

		if (!told && (ready == 0 || now_s() > told_by_s)) {
			puts("asked");
			fflush(stdout);
			told = true;
		}
		for (unsigned i = 0; i < count; i++)
			if (greedy.wait[i].revents != 0)
				ask_on(&greedy, i, buf_bytes(&piece));
	}
	free(greedy.sent);
	free(greedy.wait);
}

/* ---- replay: requests from standard input, one after the other, each a success ---- */

static void read_requests(struct buf *out)
{
	uint8_t piece[4096];
	ssize_t got;

	while ((got = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		buf_put(out, BYTES(piece, (size_t)got));
	if (got < 0 || buf_status(out) != KS_OK)
		fail("standard input");
}

static void replay(const struct bench *bench, unsigned times)
{
	AUTO(buf) requests = {.max = (size_t)16 * 1024 * 1024};
	AUTO(fd) fd = dial(bench);
	double start_s = now_s();

	read_requests(&requests);
	for (unsigned i = 0; i < times; i++) {
		struct reader reader = reader_of(buf_bytes(&requests));

		while (reader.left > 0) {
			const uint8_t *start = reader.data;
			struct bytes body = reader_string(&reader);

			send_all(fd, BYTES(start, 4 + body.len));
			if (reader_status(&reader) != KS_OK || !receive(fd, SUCCESS, ANSWER_MS))
				fail("a request was refused");
		}
	}
	printf("%.1f\n", (now_s() - start_s) * 1e3);
}

static void put_key(struct buf *out, const char *hex)
{
	unsigned value;

	for (; sscanf(hex, "%2x", &value) == 1; hex += 2)
		buf_put_u8(out, (uint8_t)value);
	if (buf_status(out) != KS_OK)
		fail("out of memory");
}

static unsigned number(const char *text, unsigned most)
{
	unsigned long value = strtoul(text, NULL, 10);

	if (value < 1 || value > most) {
		fprintf(stderr, "agent-client: %s is not a number up to %u\n", text, most);
		exit(2);
	}
	return (unsigned)value;
}

static const char usage[] =
	"usage: agent-client SOCKET KEY_HEX FLAGS rate CONNECTIONS MILLISECONDS\n"
	"       agent-client SOCKET KEY_HEX FLAGS list|sign COUNT\n"
	"       agent-client SOCKET KEY_HEX FLAGS burst COUNT MILLISECONDS\n"
	"       agent-client SOCKET KEY_HEX FLAGS hold\n"
	"       agent-client SOCKET KEY_HEX FLAGS idle COUNT\n"
	"       agent-client SOCKET KEY_HEX FLAGS greedy COUNT\n"
	"       agent-client SOCKET KEY_HEX FLAGS replay TIMES <REQUESTS\n";

static bool act(const struct bench *bench, int count, char **words)
{
	if (count == 3 && strcmp(words[0], "rate") == 0)
		rate(bench, number(words[1], 64), number(words[2], 60000));
	else if (count == 2 && strcmp(words[0], "list") == 0)
		latency(bench, LIST, number(words[1], 100000));
	else if (count == 2 && strcmp(words[0], "sign") == 0)
		latency(bench, SIGN, number(words[1], 100000));
	else if (count == 3 && strcmp(words[0], "burst") == 0)
		burst(bench, number(words[1], CONNECTIONS_MAX), number(words[2], 60000));
	else if (count == 1 && strcmp(words[0], "hold") == 0)
		hold(bench);
	else if (count == 2 && strcmp(words[0], "idle") == 0)
		idle(bench, number(words[1], CONNECTIONS_MAX));
	else if (count == 2 && strcmp(words[0], "greedy") == 0)
		ask_and_never_read(bench, number(words[1], CONNECTIONS_MAX));
	else if (count == 2 && strcmp(words[0], "replay") == 0)
		replay(bench, number(words[1], 100000));
	else
		return false;
	return true;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("setrlimit");
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	bool known;

	if (argc < 5) {
		fputs(usage, stderr);
		return 2;
	}
	bench.socket = argv[1];
	raise_descriptor_limit();
	put_key(&bench.key, argv[2]);
	bench.flags = (uint32_t)strtoul(argv[3], NULL, 10);
	known = act(&bench, argc - 4, argv + 4);
	buf_deinit(&bench.key);
	if (!known)
		fputs(usage, stderr);
	return known ? 0 : 2;
}
