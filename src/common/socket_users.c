/*
 * The kernel tells which sockets are connected with each other (sock_diag(7)), and /proc whose they
 * are. What a process has in memory would tell less, and to read that may wait for the process.
 */
#include <keystile/socket_users.h>

#include <dirent.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/process.h>
#include <keystile/text.h>

#define PEERS_MAX 64
#define PROGRAMS_MAX 8
#define ANSWER_MAX 16384
#define PATIENCE_SECONDS 1
#define OWN_PREFIX "keystile"
#define PREFIX "socket:["

struct search {
	const char *path;
	unsigned peers[PEERS_MAX]; /* inodes of the sockets at the other ends */
	size_t peer_count;
	struct buf words;
	unsigned programs;
};

/* ---- Which sockets ---- */

static struct rtattr *find_attribute(struct nlmsghdr *header, unsigned short type)
{
	struct unix_diag_msg *message = NLMSG_DATA(header);
	struct rtattr *attribute = (void *)(message + 1);
	size_t left = NLMSG_PAYLOAD(header, sizeof(*message));

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == type)
			return attribute;
	return NULL;
}

/* What was accepted has the name of what listened. */
static void take_socket(struct search *search, struct nlmsghdr *header)
{
	struct rtattr *name, *peer;
	size_t len = strlen(search->path);

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
		return;
	name = find_attribute(header, UNIX_DIAG_NAME);
	peer = find_attribute(header, UNIX_DIAG_PEER);
	if (name == NULL || peer == NULL || RTA_PAYLOAD(name) < len ||
		RTA_PAYLOAD(peer) < sizeof(unsigned) || search->peer_count == PEERS_MAX ||
		memcmp(RTA_DATA(name), search->path, len) != 0)
		return;
	memcpy(&search->peers[search->peer_count++], RTA_DATA(peer), sizeof(unsigned));
}

/* False: that was all. What walks along the answer by the system's macros is not const: they drop
 * it. */
static bool take_answer(struct search *search, uint8_t *answer, size_t len)
{
	struct nlmsghdr *header = (void *)answer;

	for (; NLMSG_OK(header, len); header = NLMSG_NEXT(header, len)) {
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
			return false;
		if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			take_socket(search, header);
	}
	return true;
}

static bool ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} question = {.header = {.nlmsg_len = sizeof(question),
			      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_UNIX,
			.udiag_states = ~0U,
			.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER}};

	return send(fd, &question, sizeof(question), 0) == (ssize_t)sizeof(question);
}

static void find_peers(struct search *search)
{
	const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
	AUTO(fd) fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_MAX];
	ssize_t got;

	if (fd < 0 || !ask(fd))
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	do
		got = recv(fd, answer, sizeof(answer), 0);
	while (got > 0 && take_answer(search, answer, (size_t)got));
}

/* ---- Whose they are ---- */

static bool is_peer(const struct search *search, const char *link)
{
	unsigned long inode;

	if (strncmp(link, PREFIX, strlen(PREFIX)) != 0)
		return false;
	inode = strtoul(link + strlen(PREFIX), NULL, 10);
	for (size_t i = 0; i < search->peer_count; i++)
		if (search->peers[i] == inode)
			return true;
	return false;
}

static bool has_peer(const struct search *search, const char *pid)
{
	AUTO(text) path = text_format("/proc/%s/fd", pid);
	DIR *folder = path == NULL ? NULL : opendir(path);
	const struct dirent *entry;
	bool found = false;

	if (folder == NULL)
		return false;
	while (!found && (entry = readdir(folder)) != NULL) {
		char link[64] = "";

		if (readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1) > 0)
			found = is_peer(search, link);
	}
	closedir(folder);
	return found;
}

static void name(struct search *search, pid_t pid)
{
	char program[PROCESS_NAME_MAX];

	process_program(pid, program);
	if (strncmp(program, OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
		return;
	AUTO(text)
	one = text_format("%s%s (pid %ld)", search->programs++ > 0 ? ", " : "", program, (long)pid);
	buf_put(&search->words, bytes_of(one));
}

static void find_programs(struct search *search)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;

	if (folder == NULL)
		return;
	while (search->programs < PROGRAMS_MAX && (entry = readdir(folder)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && has_peer(search, entry->d_name))
			name(search, pid);
	}
	closedir(folder);
}

char *socket_users(const char *path)
{
	struct search search = {.path = path};
	char *words = NULL;

	find_peers(&search);
	if (search.peer_count > 0)
		find_programs(&search);
	if (buf_status(&search.words) == KS_OK && search.words.len > 0)
		words = strndup((const char *)search.words.data, search.words.len);
	buf_deinit(&search.words);
	return words;
}
