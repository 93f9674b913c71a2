/*
 * libssh with the agent of SSH_AUTH_SOCK: login and forward, as paramiko_client.py has them. Its
 * list of the agent's keys is not for its users.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#define FORWARDED_MAX 8

/* Forwarded channels and what moves their bytes, until the end of the program. */
struct relay {
	ssh_event event;
	size_t count;
	ssh_channel channels[FORWARDED_MAX];
	ssh_connector out[FORWARDED_MAX];
	ssh_connector in[FORWARDED_MAX];
	int sockets[FORWARDED_MAX];
};

static _Noreturn void fail(ssh_session session, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, session != NULL ? ssh_get_error(session) : "");
	exit(1);
}

static int connect_agent(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("SSH_AUTH_SOCK"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		fail(NULL, "agent");
	return fd;
}

/* The host opens a channel to the agent: libssh leaves it to its users to serve it. */
static ssh_channel open_forwarded(ssh_session session, void *context)
{
	struct relay *relay = context;
	size_t i = relay->count;

	if (i == FORWARDED_MAX)
		return NULL;
	relay->count++;
	relay->sockets[i] = connect_agent();
	relay->channels[i] = ssh_channel_new(session);
	relay->out[i] = ssh_connector_new(session);
	relay->in[i] = ssh_connector_new(session);
	ssh_connector_set_in_channel(relay->out[i], relay->channels[i], SSH_CONNECTOR_STDOUT);
	ssh_connector_set_out_fd(relay->out[i], relay->sockets[i]);
	ssh_connector_set_in_fd(relay->in[i], relay->sockets[i]);
	ssh_connector_set_out_channel(relay->in[i], relay->channels[i], SSH_CONNECTOR_STDOUT);
	ssh_event_add_connector(relay->event, relay->out[i]);
	ssh_event_add_connector(relay->event, relay->in[i]);
	return relay->channels[i];
}

static void end_relay(struct relay *relay)
{
	for (size_t i = 0; i < relay->count; i++) {
		ssh_event_remove_connector(relay->event, relay->out[i]);
		ssh_event_remove_connector(relay->event, relay->in[i]);
		ssh_connector_free(relay->out[i]);
		ssh_connector_free(relay->in[i]);
		ssh_channel_free(relay->channels[i]);
		close(relay->sockets[i]);
	}
}

static void log_in(ssh_session session, char **words)
{
	unsigned port = (unsigned)atoi(words[0]);

	ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
	ssh_options_set(session, SSH_OPTIONS_PORT, &port);
	ssh_options_set(session, SSH_OPTIONS_USER, words[1]);
	ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, words[2]);
	ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, "ssh-ed25519");
	if (ssh_connect(session) != SSH_OK)
		fail(session, "connect");
	if (ssh_session_is_known_server(session) != SSH_KNOWN_HOSTS_OK)
		fail(session, "host key");
	if (ssh_userauth_agent(session, NULL) != SSH_AUTH_SUCCESS)
		fail(session, "authentication");
}

static void copy_output(ssh_channel channel)
{
	char text[4096];
	int length;

	while ((length = ssh_channel_read_nonblocking(channel, text, sizeof text, 0)) > 0)
		fwrite(text, 1, (size_t)length, stdout);
}

static int run(ssh_session session, const char *words, bool forward)
{
	struct relay relay = {.event = ssh_event_new()};
	struct ssh_callbacks_struct callbacks = {
		.userdata = &relay, .channel_open_request_auth_agent_function = open_forwarded};
	ssh_channel channel = ssh_channel_new(session);
	int status;

	ssh_callbacks_init(&callbacks);
	ssh_set_callbacks(session, &callbacks);
	ssh_event_add_session(relay.event, session);
	if (ssh_channel_open_session(channel) != SSH_OK)
		fail(session, "session");
	if (forward && ssh_channel_request_auth_agent(channel) != SSH_OK)
		fail(session, "forwarding");
	if (ssh_channel_request_exec(channel, words) != SSH_OK)
		fail(session, "exec");
	while (!ssh_channel_is_eof(channel) && ssh_event_dopoll(relay.event, 100) != SSH_ERROR)
		copy_output(channel);
	copy_output(channel);
	status = ssh_channel_get_exit_status(channel);
	end_relay(&relay);
	ssh_event_remove_session(relay.event, session);
	ssh_channel_free(channel);
	ssh_event_free(relay.event);
	return status;
}

int main(int argc, char **argv)
{
	ssh_session session = ssh_new();
	int status;

	if (argc != 6 || session == NULL)
		fail(NULL, "usage: login|forward PORT USER KNOWN_HOSTS WORDS");
	log_in(session, argv + 2);
	status = run(session, argv[5], strcmp(argv[1], "forward") == 0);
	ssh_disconnect(session);
	ssh_free(session);
	ssh_finalize();
	return status;
}
