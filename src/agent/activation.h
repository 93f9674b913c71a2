/*
 * Sockets that a service manager opened for us (sd_listen_fds(3)), told apart by their names:
 * "agent" or "keystile.socket" or "ssh-agent.socket", "control", and anything else is for remote
 * use.
 */
#ifndef AGENT_ACTIVATION_H
#define AGENT_ACTIVATION_H

#include "listener.h"

#define ACTIVATION_MAX 8

#define ACTIVATION_NAME_MAX 64

struct activated {
	int fd;
	char name[ACTIVATION_NAME_MAX]; /* "" where none was given, or a longer one */
	enum listener_kind kind;
};

struct activation {
	struct activated sockets[ACTIVATION_MAX];
	unsigned count;
};

/* Takes the descriptors that were passed; count is 0 when there are none. Clears the variables. */
void activation_take(struct activation *out);
/* What a name stands for; names_given false: the manager gave none, count sockets came. */
enum listener_kind activation_kind(const char *name, bool names_given, unsigned count);

#endif
