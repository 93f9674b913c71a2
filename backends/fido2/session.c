/*
 * The process of a security key: its start and its end.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#define PROGRAM "keystile-fido2-token"
#define FIRST_FREE_FD (TOKEN_DEVICE_FD + 1)

/* Beside the worker's own file, in the folder where the agent found that. NULL with errno. */
static char *program_path(void)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own));

	if (len < 0)
		return NULL;
	errno = ENAMETOOLONG;
	while (len > 0 && own[len - 1] != '/')
		len--;
	return len == 0 || len == sizeof(own) ? NULL : text_format("%.*s" PROGRAM, (int)len, own);
}

/* Both are out of the way of the numbers under which the program finds them. 0 or an error. */
static int hand_descriptors(posix_spawn_file_actions_t *actions, int socket, int device)
{
	int error = posix_spawn_file_actions_adddup2(actions, socket, TOKEN_CALL_FD);

	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, device, TOKEN_DEVICE_FD);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_FREE_FD);
	return error;
}

static int spawn(char *program, int socket, int device, pid_t *pid)
{
	char *const arguments[] = {program, NULL};
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	error = hand_descriptors(&actions, socket, device);
	if (error == 0)
		error = posix_spawn(pid, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static enum ks_error not_started(struct ks_operation *operation, int error)
{
	log_error("%s can't be started: %s", PROGRAM, strerror(error));
	ks_explain(operation, "%s can't be started: %s", PROGRAM, strerror(error));
	return error == ENOENT || error == EACCES ? KS_DEVICE_FAILED : KS_NO_MEMORY;
}

enum ks_error session_start(
	struct session *session, struct ks_operation *operation, int device, int removed)
{
	AUTO(text) program = program_path();
	AUTO(fd) held = device;
	AUTO(fd) high_device = fcntl(held, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	AUTO(fd) here = -1;
	AUTO(fd) there = -1;
	int ends[2];
	int error;

	if (program == NULL || high_device < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return not_started(operation, errno);
	here = ends[0];
	there = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	close(ends[1]);
	if (there < 0)
		return not_started(operation, errno);
	error = spawn(program, there, high_device, &session->pid);
	if (error != 0) {
		session->pid = 0;
		return not_started(operation, error);
	}
	session->socket = TAKE_FD(here);
	session->removed = removed;
	return KS_OK;
}

bool session_has_ended(const struct session *session)
{
	uint8_t first;

	return recv(session->socket, &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) == 0;
}

void session_end(struct session *session)
{
	int status;
	pid_t pid;

	if (session->pid == 0)
		return;
	kill(session->pid, SIGKILL);
	do {
		pid = waitpid(session->pid, &status, 0);
	} while (pid < 0 && errno == EINTR);
	if (pid > 0 && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		log_error("%s crashed: %s", PROGRAM, strsignal(WTERMSIG(status)));
	close(session->socket);
	*session = (struct session){0};
}
