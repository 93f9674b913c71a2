/*
 * libssh2 with the agent of SSH_AUTH_SOCK: list and login, as paramiko_client.py has them. It can
 * ask for forwarding, but has no way to serve what comes back.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh2.h>

static _Noreturn void fail(LIBSSH2_SESSION *session, const char *what)
{
	char *words = NULL;

	if (session != NULL)
		libssh2_session_last_error(session, &words, NULL, 0);
	fprintf(stderr, "%s: %s\n", what, words != NULL ? words : "");
	exit(1);
}

static LIBSSH2_AGENT *connect_agent(LIBSSH2_SESSION *session)
{
	LIBSSH2_AGENT *agent = libssh2_agent_init(session);

	if (agent == NULL || libssh2_agent_connect(agent) != 0 ||
		libssh2_agent_list_identities(agent) != 0)
		fail(session, "agent");
	return agent;
}

static void disconnect_agent(LIBSSH2_AGENT *agent)
{
	libssh2_agent_disconnect(agent);
	libssh2_agent_free(agent);
}

static void show_keys(LIBSSH2_SESSION *session)
{
	LIBSSH2_AGENT *agent = connect_agent(session);
	struct libssh2_agent_publickey *key = NULL;

	while (libssh2_agent_get_identity(agent, &key, key) == 0) {
		for (size_t i = 0; i < key->blob_len; i++)
			printf("%02x", key->blob[i]);
		printf(" %s\n", key->comment);
	}
	disconnect_agent(agent);
}

static int connect_host(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		fail(NULL, "connect");
	return fd;
}

static void check_host(LIBSSH2_SESSION *session, const char *port, const char *known_hosts)
{
	LIBSSH2_KNOWNHOSTS *hosts = libssh2_knownhost_init(session);
	struct libssh2_knownhost *found = NULL;
	size_t length = 0;
	int type = 0;
	const char *key = libssh2_session_hostkey(session, &length, &type);

	if (hosts == NULL ||
		libssh2_knownhost_readfile(hosts, known_hosts, LIBSSH2_KNOWNHOST_FILE_OPENSSH) <
			0 ||
		libssh2_knownhost_checkp(hosts, "127.0.0.1", atoi(port), key, length,
			LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW,
			&found) != LIBSSH2_KNOWNHOST_CHECK_MATCH)
		fail(session, "host key");
	libssh2_knownhost_free(hosts);
}

/* Each key in turn, until the host takes one. */
static void authenticate(LIBSSH2_SESSION *session, const char *user)
{
	LIBSSH2_AGENT *agent = connect_agent(session);
	struct libssh2_agent_publickey *key = NULL;

	do {
		if (libssh2_agent_get_identity(agent, &key, key) != 0)
			fail(session, "authentication");
	} while (libssh2_agent_userauth(agent, user, key) != 0);
	disconnect_agent(agent);
}

static int run(LIBSSH2_SESSION *session, const char *words)
{
	LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(session);
	char text[4096];
	ssize_t length;
	int status;

	if (channel == NULL || libssh2_channel_exec(channel, words) != 0)
		fail(session, "exec");
	while ((length = libssh2_channel_read(channel, text, sizeof text)) > 0)
		fwrite(text, 1, (size_t)length, stdout);
	libssh2_channel_close(channel);
	libssh2_channel_wait_closed(channel);
	status = libssh2_channel_get_exit_status(channel);
	libssh2_channel_free(channel);
	return status;
}

static int log_in(LIBSSH2_SESSION *session, char **words)
{
	int fd = connect_host(words[0]);
	int status;

	if (libssh2_session_handshake(session, fd) != 0)
		fail(session, "handshake");
	check_host(session, words[0], words[2]);
	authenticate(session, words[1]);
	status = run(session, words[3]);
	libssh2_session_disconnect(session, "done");
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	LIBSSH2_SESSION *session = libssh2_init(0) == 0 ? libssh2_session_init() : NULL;
	int status = 0;

	if (session == NULL)
		fail(NULL, "libssh2");
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		show_keys(session);
	else if (argc == 6 && strcmp(argv[1], "login") == 0)
		status = log_in(session, argv + 2);
	else
		fail(NULL, "usage: list | login PORT USER KNOWN_HOSTS WORDS");
	libssh2_session_free(session);
	libssh2_exit();
	return status;
}
