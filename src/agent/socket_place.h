/*
 * Where the agent's sockets are: as OpenSSH 10.5 has it (~/.ssh/agent/s.HOST.agent.RANDOM, or with
 * -T TMPDIR/ssh-RANDOM/agent.PPID), or where -a says; and the agent's own folder with control.sock
 * and remote.sock. Runs before the event loop, where blocking and printing are fine.
 */
#ifndef AGENT_SOCKET_PLACE_H
#define AGENT_SOCKET_PLACE_H

#include <stdbool.h>

#include <keystile/error.h>

#define SOCKET_BACKLOG 128

struct socket_place {
	int fd;		/* bound, not listening yet */
	char *path;	/* as it was given, and as clients are told */
	char *absolute; /* for whoever has left the folder by then */
	char *folder;	/* made for this socket alone and removed with it; NULL: none */
};

/* Each logs what is wrong. Sockets get mode 0600; a path that exists is never removed first. */
KS_MUST_CHECK enum ks_error socket_place_at(const char *path, struct socket_place *out);
KS_MUST_CHECK enum ks_error socket_place_home(struct socket_place *out);
KS_MUST_CHECK enum ks_error socket_place_tmp(struct socket_place *out);
void socket_place_deinit(struct socket_place *place); /* frees; removes nothing */

/*
 * Removes sockets in ~/.ssh/agent which nobody listens on, that are over an hour old and, unless
 * any_host, were made on this host.
 */
void socket_place_clean_up(bool any_host);

/*
 * For a configured listener: makes its folder, 0700, where it is missing, and refuses one that is
 * another's or open to others; takes the place of a socket of our own which nobody listens on, and
 * of nothing else. It listens already, with this mode. KS_BUSY: something else is there.
 */
KS_MUST_CHECK enum ks_error socket_place_listener(
	const char *path, unsigned mode, struct socket_place *out);

/* Makes the folder with its parent, both 0700 and our own; KS_NOT_ALLOWED when another has them. */
KS_MUST_CHECK enum ks_error socket_place_make_folder(const char *folder);

#endif
