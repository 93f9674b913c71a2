/*
 * A module that tries to reach sockets: those in the file that REACH_TO names, one in a line, as
 * keystile.conf(5) writes addresses, and files: "read:/path". Where REACH_GRANTED and
 * REACH_FORBIDDEN are the paths of two sockets, of which it may reach the first, it tries the ways
 * around connect() too. It notes "NAME: reached" or why not in the file that REACH_NOTES names. It
 * is no PKCS#11 module.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FLOOD 600
#define RACES 100

union address {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t make_local(const char *text, union address *out)
{
	size_t len = strlen(text);

	*out = (union address){.local = {.sun_family = AF_UNIX}};
	if (len >= sizeof(out->local.sun_path))
		return 0;
	memcpy(out->local.sun_path, text, len);
	if (text[0] == '@')
		out->local.sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
}

/* "tcp:127.0.0.1:PORT" and "tcp:[::1]:PORT" are all that the test writes. */
static socklen_t make_tcp(const char *text, union address *out)
{
	in_port_t port = htons((uint16_t)atoi(strrchr(text, ':') + 1));

	if (text[4] == '[') {
		*out = (union address){.ipv6 = {.sin6_family = AF_INET6,
					       .sin6_addr = in6addr_loopback,
					       .sin6_port = port}};
		return sizeof(out->ipv6);
	}
	*out = (union address){.ipv4 = {.sin_family = AF_INET,
				       .sin_addr = {htonl(INADDR_LOOPBACK)},
				       .sin_port = port}};
	return sizeof(out->ipv4);
}

static socklen_t make_address(const char *text, union address *out)
{
	return strncmp(text, "tcp:", 4) == 0 ? make_tcp(text, out) : make_local(text, out);
}

static int open_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Who listens says "welcome" at once, and hears "hello". */
static bool talks(int fd)
{
	char words[8] = "";
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return send(fd, "hello", 5, MSG_NOSIGNAL) == 5 && poll(&ready, 1, 20000) == 1 &&
	       recv(fd, words, 7, MSG_WAITALL) == 7 && memcmp(words, "welcome", 7) == 0;
}

static bool streams(const char *path, const char *mode)
{
	FILE *stream = fopen(path, mode);

	return stream != NULL && fclose(stream) == 0;
}

static bool lists(const char *path)
{
	DIR *folder = opendir(path);

	return folder != NULL && closedir(folder) == 0;
}

/* "read:/path" and the like. */
static bool opens(const char *how, const char *path)
{
	int fd = -1;

	if (strncmp(how, "list:", 5) == 0)
		return lists(path);
	if (strncmp(how, "stream:", 7) == 0)
		return streams(path, "r");
	if (strncmp(how, "append:", 7) == 0)
		return streams(path, "a");
	fd = strncmp(how, "make:", 5) == 0 ? open(path, O_WRONLY | O_CREAT | O_EXCL, 0600)
					   : open(path, O_RDONLY);
	return fd >= 0 && close(fd) == 0;
}

static bool reaches(const char *text)
{
	if (text[0] != '/' && text[0] != '@' && strncmp(text, "tcp:", 4) != 0)
		return opens(text, strchr(text, '/'));

	union address address;
	socklen_t len = make_address(text, &address);
	int fd = open_socket(address.any.sa_family);
	bool reached = fd >= 0 && connect(fd, &address.any, len) == 0 && talks(fd);
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return reached;
}

/* ---- Ways around ---- */

static const char *granted;
static const char *forbidden;

static bool sends_datagram(void)
{
	union address address;
	socklen_t len = make_local(forbidden, &address);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	return fd >= 0 && sendto(fd, "x", 1, 0, &address.any, len) == 1;
}

static bool names_it_in_a_message(void)
{
	union address address;
	struct iovec part = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct msghdr message = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};
	int fd = open_socket(AF_UNIX);

	message.msg_namelen = make_local(forbidden, &address);
	return fd >= 0 && sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
}

static bool makes_sequence_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET, 0) >= 0;
}

static bool binds(void)
{
	union address address;
	socklen_t len = make_local("@keystile-reaching", &address);
	int fd = open_socket(AF_UNIX);

	return fd >= 0 && bind(fd, &address.any, len) == 0;
}

static bool makes_sctp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) >= 0;
}

static bool makes_mptcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */) >= 0;
}

static bool makes_netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

/* No port is named, as sending alone is refused. */
static bool opens_fast(void)
{
	union address address;
	socklen_t len = make_tcp("tcp:127.0.0.1:9", &address);
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return false;
	return sendto(ends[0], "x", 1, MSG_FASTOPEN, &address.any, len) == 1 || errno != EPERM;
}

static bool has_nonsense_taken(void)
{
	union address address = {.any = {.sa_family = AF_UNSPEC}};
	int fd = open_socket(AF_UNIX);

	return fd >= 0 &&
	       (connect(fd, &address.any, sizeof(address.any)) == 0 ||
		       connect(fd, (void *)8, 16) == 0 || connect(fd, &address.any, 1) == 0 ||
		       connect(fd, &address.any, 4096) == 0 || connect(fd, NULL, 0) == 0);
}

static bool keeps_its_nonblocking_flag(void)
{
	union address address;
	socklen_t len = make_local(granted, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	return fd >= 0 && connect(fd, &address.any, len) == 0 &&
	       (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

static bool floods(void)
{
	for (int i = 0; i < FLOOD; i++)
		if (reaches(forbidden))
			return true;
	return false;
}

/* Writes one address over the other all the time, so that it changes between looking and using. */
struct race {
	union address address;
	union address both[2];
	atomic_bool over;
};

static void *swap(void *argument)
{
	const struct timespec moment = {.tv_nsec = 1};
	struct race *race = argument;

	for (unsigned i = 0; !atomic_load(&race->over); i++) {
		memcpy(&race->address, &race->both[i % 2], sizeof(race->address));
		nanosleep(&moment, NULL); /* to spin would starve all others */
	}
	return NULL;
}

static bool is_connected_to(int fd, const char *path)
{
	union address peer = {0};
	socklen_t len = sizeof(peer);

	return getpeername(fd, &peer.any, &len) == 0 && strcmp(peer.local.sun_path, path) == 0;
}

static bool wins_a_race(void)
{
	struct race race = {0};
	socklen_t len = make_local(granted, &race.both[0]);
	bool won = make_local(forbidden, &race.both[1]) != len; /* of one length in the test */
	pthread_t thread;

	if (pthread_create(&thread, NULL, swap, &race) != 0)
		return true;
	for (int i = 0; i < RACES && !won; i++) {
		int fd = open_socket(AF_UNIX);

		won = fd < 0 ||
		      (connect(fd, &race.address.any, len) == 0 && is_connected_to(fd, forbidden));
		close(fd);
	}
	atomic_store(&race.over, true);
	pthread_join(thread, NULL);
	return won;
}

static const struct
try {
	const char *name;
	bool (*succeeds)(void);
}
tries[] = {
	{"a datagram", sends_datagram},
	{"a message with a name", names_it_in_a_message},
	{"a socket of sequences", makes_sequence_socket},
	{"binding", binds},
	{"an SCTP socket", makes_sctp_socket},
	{"an MPTCP socket", makes_mptcp_socket},
	{"a netlink socket", makes_netlink_socket},
	{"opening fast", opens_fast},
	{"nonsense", has_nonsense_taken},
	{"nonblocking", keeps_its_nonblocking_flag},
	{"a flood", floods},
	{"a race", wins_a_race},
};

static void note(FILE *file, const char *name, bool reached)
{
	fprintf(file, "%s: %s\n", name, reached ? "reached" : strerror(errno));
}

static void reach_all(FILE *file, FILE *list)
{
	char line[256];

	while (fgets(line, sizeof(line), list) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		note(file, line, reaches(line));
	}
}

__attribute__((constructor)) static void try_all(void)
{
	const char *notes = getenv("REACH_NOTES");
	const char *names = getenv("REACH_TO");
	FILE *file = notes != NULL ? fopen(notes, "ae") : NULL;
	FILE *list = names != NULL ? fopen(names, "re") : NULL;

	granted = getenv("REACH_GRANTED");
	forbidden = getenv("REACH_FORBIDDEN");
	if (file == NULL || list == NULL)
		return;
	reach_all(file, list);
	fclose(list);
	for (size_t i = 0; granted != NULL && i < sizeof(tries) / sizeof(tries[0]); i++) {
		errno = 0;
		note(file, tries[i].name, tries[i].succeeds());
	}
	fprintf(file, "end\n");
	fclose(file);
}
