/*
 * See activation.h. A name that is not known makes every connection remote: a socket that
 * somebody added for a container must not count as local by mistake.
 */
#include "activation.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <keystile/log.h>

enum listener_kind activation_kind(const char *name, bool names_given, unsigned count)
{
	static const char *const agent_names[] = {
		"agent", "agent.sock", "keystile.socket", "ssh-agent.socket", NULL};

	/* A manager that gives no names and one socket starts us as it would ssh-agent. */
	if (!names_given)
		return count == 1 ? LISTENER_AGENT : LISTENER_REMOTE;
	for (size_t i = 0; agent_names[i] != NULL; i++)
		if (strcmp(name, agent_names[i]) == 0)
			return LISTENER_AGENT;
	if (strcmp(name, "control") == 0 || strcmp(name, "control.sock") == 0)
		return LISTENER_CONTROL;
	return LISTENER_REMOTE;
}

void activation_take(struct activation *out)
{
	bool names_given = getenv("LISTEN_FDNAMES") != NULL;
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	*out = (struct activation){0};
	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (out->count < ACTIVATION_MAX &&
			sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0) {
			enum listener_kind kind =
				activation_kind(names[i], names_given, (unsigned)count);

			struct activated *socket = &out->sockets[out->count++];

			*socket = (struct activated){.fd = fd, .kind = kind};
			if (names_given && strlen(names[i]) < sizeof(socket->name))
				strcpy(socket->name, names[i]);
		} else {
			log_warning("a descriptor that was passed at the start is no listening "
				    "unix socket: closed");
			close(fd);
		}
		free(names[i]);
	}
	free(names);
}
