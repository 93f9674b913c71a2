/*
 * Tries the places where an agent's control socket may be, in order, and explains it when none
 * leads to one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/control.h>
#include <keystile/text.h>

#include "find.h"

#define PROBE_PATIENCE_MS 1000
#define START "start one: eval \"$(keystile-agent -s)\""

/* A connected socket, or -1 with errno. */
static int connect_to(const char *path, int patience_ms, struct ucred *peer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {
		.tv_sec = patience_ms / 1000,
		.tv_usec = patience_ms % 1000 * 1000,
	};
	socklen_t len = sizeof(*peer);
	AUTO(fd)
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* Bounds connect() too, which waits while the queue of the listener is full. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
		connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) != 0)
		return -1;
	return TAKE_FD(fd);
}

static struct auth_socket probe_auth_socket(void)
{
	struct auth_socket auth = {.path = getenv("SSH_AUTH_SOCK")};
	struct ucred peer = {0};

	if (auth.path == NULL || auth.path[0] == '\0')
		return (struct auth_socket){.trouble = ENOENT};

	AUTO(fd)
	fd = connect_to(auth.path, PROBE_PATIENCE_MS, &peer);

	if (fd < 0)
		auth.trouble = errno;
	else
		auth.pid = peer.pid;
	return auth;
}

static char *read_program(pid_t pid)
{
	char program[PATH_MAX];
	AUTO(text)
	link = text_format("/proc/%ld/exe", (long)pid);
	ssize_t len = link != NULL ? readlink(link, program, sizeof(program)) : -1;

	if (len > 0 && (size_t)len < sizeof(program))
		return strndup(program, (size_t)len);

	/* Another user's, or one that can't be dumped: its short name can be read. */
	AUTO(text)
	name = text_format("/proc/%ld/comm", (long)pid);
	AUTO(fd)
	fd = name != NULL ? open(name, O_RDONLY | O_CLOEXEC) : -1;

	len = fd >= 0 ? read(fd, program, sizeof(program)) : -1;
	if (len > 0 && program[len - 1] == '\n')
		len--;
	return len > 0 ? strndup(program, (size_t)len) : strdup("a program");
}

char *find_program(pid_t pid)
{
	if (pid <= 0)
		return strdup("a program outside of this container");

	AUTO(text)
	program = read_program(pid);

	return program != NULL ? text_format("%s (pid %ld)", program, (long)pid) : NULL;
}

/* ---- When there is none ---- */

static void complain_about_place(const char *path, int trouble)
{
	if (trouble == EAGAIN)
		complain("the agent at %s does not take connections: it hangs, or is busy", path);
	else
		complain("no agent answers at %s: %s", path, strerror(trouble));
}

static void complain_about_nobody(const struct auth_socket *auth)
{
	AUTO(text)
	program = auth->trouble == 0 ? find_program(auth->pid) : NULL;

	if (program != NULL)
		complain("SSH_AUTH_SOCK belongs to %s, not to Keystile, and no agent of Keystile "
			 "runs for you;\n  " START,
			program);
	else if (auth->path != NULL)
		complain("nobody answers at %s, where SSH_AUTH_SOCK points (%s), and no agent of "
			 "Keystile runs for you;\n  " START,
			auth->path, strerror(auth->trouble));
	else
		complain("no agent runs for you: SSH_AUTH_SOCK is not set;\n  " START);
}

/* ---- The places ---- */

/* True when the search is over, for better or worse; false with errno. Takes path, which is NULL
 * when out of memory. */
static bool try_place(struct control *control, char *path)
{
	struct ucred peer = {0};

	free(control->path);
	control->path = NULL;
	if (path == NULL) {
		complain("out of memory");
		return true;
	}
	AUTO(fd)
	fd = connect_to(path, control_left_ms(control), &peer);

	control->path = path;
	control->pid = peer.pid;
	if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR))
		return false;
	if (fd < 0)
		complain_about_place(path, errno);
	else if (peer.uid != geteuid() && peer.uid != 0)
		complain("%s belongs to another user (uid %lu): not asked", path,
			(unsigned long)peer.uid);
	else
		control->fd = TAKE_FD(fd);
	return true;
}

static char *socket_in(char *folder)
{
	AUTO(text)
	owned = folder;

	return owned != NULL ? text_format("%s/control.sock", owned) : NULL;
}

static void search(struct control *control)
{
	const char *named = getenv("KEYSTILE_CONTROL");

	if (named != NULL && named[0] != '\0') {
		if (!try_place(control, strdup(named)))
			complain("no agent answers at %s, which KEYSTILE_CONTROL names: %s", named,
				strerror(errno));
		return;
	}
	if (control->auth.trouble == 0 &&
		try_place(control, socket_in(control_agent_folder(control->auth.pid))))
		return;
	if (!try_place(control, socket_in(control_runtime_folder())))
		complain_about_nobody(&control->auth);
}

enum ks_error find_agent(struct control *control)
{
	control->auth = probe_auth_socket();
	search(control);
	return control->fd >= 0 ? KS_OK : KS_REFUSED;
}
