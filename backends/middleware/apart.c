/*
 * A program, its request, its one answer, and its certain end.
 */
#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "report.h"

#define PROGRAM "keystile-library-call"
#define FIRST_FREE_FD (LIBRARY_CALL_SECRET_FD + 1)
/* To load a library takes no person's time: who waits for ssh-add hears of it before giving up. */
#define CHECK_SECONDS 15

struct child {
	pid_t pid;
	struct channel answers;
	struct incoming received;
	bool confined;	   /* it has said how */
	unsigned denials;  /* that it has told of */
	int requests;	   /* writing end; -1 once there is no more to write */
	struct bytes left; /* to write */
};

/* What the program is given. */
struct given {
	int answers;
	int request;
	int secret; /* or -1 */
};

/* ---- Its start ---- */

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

/*
 * Both are out of the way of the numbers that the program has its descriptors by: what is put there
 * first must not be what is to be put elsewhere.
 */
static bool make_pipe(int *reading, int *writing)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	*reading = fcntl(ends[0], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	*writing = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	close(ends[0]);
	close(ends[1]);
	return *reading >= 0 && *writing >= 0;
}

/* Standard input, output and error are those of the worker. 0 or what went wrong. */
static int hand_descriptors(posix_spawn_file_actions_t *actions, const struct given *given)
{
	int first_other = given->secret < 0 ? LIBRARY_CALL_SECRET_FD : FIRST_FREE_FD;
	int error =
		posix_spawn_file_actions_adddup2(actions, given->answers, LIBRARY_CALL_ANSWER_FD);

	if (error == 0)
		error = posix_spawn_file_actions_adddup2(
			actions, given->request, LIBRARY_CALL_REQUEST_FD);
	if (error == 0 && given->secret >= 0)
		error = posix_spawn_file_actions_adddup2(
			actions, given->secret, LIBRARY_CALL_SECRET_FD);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, first_other);
	return error;
}

/* It leads a process group. The environment is what the agent built for this worker. */
static int spawn(char *program, const struct given *given, pid_t *pid)
{
	char *const arguments[] = {program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
		if (error == 0)
			error = hand_descriptors(&actions, given);
		if (error == 0)
			error = posix_spawn(
				pid, program, &actions, &attributes, arguments, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Likewise; each of its answers is a message of its own. */
static bool make_socket(int *here, int *there)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	*here = ends[0];
	*there = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	close(ends[1]);
	return *there >= 0;
}

static enum ks_error not_started(struct ks_operation *operation, int error)
{
	log_error("%s can't be started: %s", PROGRAM, strerror(error));
	ks_explain(operation, "%s can't be started: %s", PROGRAM, strerror(error));
	return error == ENOENT || error == EACCES ? KS_DEVICE_FAILED : KS_NO_MEMORY;
}

static enum ks_error child_start(
	struct child *child, struct ks_operation *operation, int secret, struct bytes request)
{
	AUTO(fd) answers_here = -1;
	AUTO(fd) answers_there = -1;
	AUTO(fd) request_here = -1;
	AUTO(fd) request_there = -1;
	AUTO(fd) secret_there = -1;
	AUTO(text) program = program_path();
	int error;

	if (program == NULL || !make_socket(&answers_here, &answers_there) ||
		!make_pipe(&request_there, &request_here) ||
		fcntl(request_here, F_SETFL, O_NONBLOCK) != 0)
		return not_started(operation, errno);
	if (secret >= 0 && (secret_there = fcntl(secret, F_DUPFD_CLOEXEC, FIRST_FREE_FD)) < 0)
		return not_started(operation, errno);
	error = spawn(
		program, &(struct given){answers_there, request_there, secret_there}, &child->pid);
	if (error != 0)
		return not_started(operation, error);
	channel_init(&child->answers, TAKE_FD(answers_here));
	incoming_init(&child->received);
	child->requests = TAKE_FD(request_here);
	child->left = request;
	return KS_OK;
}

/* ---- What goes to and fro ---- */

/* A program that reads no more has ended, which is heard of by its answer's pipe. */
static void send_request(struct child *child)
{
	ssize_t written = write(child->requests, child->left.data, child->left.len);

	if (written < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (written > 0) {
		child->left.data += written;
		child->left.len -= (size_t)written;
	}
	if (written > 0 && child->left.len > 0)
		return;
	close(child->requests);
	child->requests = -1;
}

/*
 * How it is confined is told once, before the library is loaded; what the library was kept from
 * may come at any time, and is told by the library itself if it likes.
 */
static bool may_pass(struct child *child)
{
	switch (child->received.frame.type) {
	case FRAME_MEMORY:
		return !child->confined;
	case FRAME_CONFINED:
		if (child->confined)
			return false;
		child->confined = true;
		return true;
	case FRAME_DENIED:
		return child->confined && child->denials++ < REPORT_DENIALS_MAX;
	default:
		return false;
	}
}

/* The agent takes it as if it came from this process. */
static enum ks_error pass_on(struct child *child, struct ks_operation *operation)
{
	return may_pass(child)
		       ? report_for_program(operation, &child->received.frame, child->received.fd)
		       : KS_OK;
}

/* KS_DEVICE_FAILED at the end of the socket, and for what is no frame. */
static enum ks_error receive(struct child *child, struct ks_operation *operation, bool *answered)
{
	if (channel_receive_message(&child->answers, &child->received) != CHANNEL_FRAME)
		return KS_DEVICE_FAILED;
	*answered = child->received.frame.type == FRAME_DONE;
	return *answered ? KS_OK : pass_on(child, operation);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long to wait for the next event: up to end, and no longer than the operation has. */
static int wait_ms(const struct ks_operation *operation, int64_t end)
{
	int64_t left = end - now_ms();
	int most = ks_time_left_ms(operation);

	if (left < 0)
		return 0;
	return left < most ? (int)left : most;
}

/* KS_TIMEOUT when end has come. With KS_OK the answer is what was received last. */
static enum ks_error await_answer(struct child *child, struct ks_operation *operation, int64_t end)
{
	enum ks_error error = KS_OK;
	bool answered = false;

	while (error == KS_OK && !answered) {
		struct pollfd events[] = {{.fd = child->answers.fd, .events = POLLIN},
			{.fd = ks_cancel_fd(operation), .events = POLLIN},
			{.fd = child->requests, .events = POLLOUT}};
		int count = poll(events, 3, wait_ms(operation, end));

		if (count < 0 && errno != EINTR)
			return KS_DEVICE_FAILED;
		if (ks_cancelled(operation))
			return KS_CANCELLED;
		if (count == 0 && now_ms() >= end)
			return KS_TIMEOUT;
		if (count > 0 && events[2].revents != 0)
			send_request(child);
		if (count > 0 && events[0].revents != 0)
			error = receive(child, operation, &answered);
	}
	return error;
}

/* ---- Its end ---- */

/* Whatever it is at, and what it started with it; returns as waitpid() does. */
static int child_end(struct child *child)
{
	int status = 0;
	pid_t pid;

	kill(-child->pid, SIGKILL);
	kill(child->pid, SIGKILL); /* should it have left its group */
	do {
		pid = waitpid(child->pid, &status, 0);
	} while (pid < 0 && errno == EINTR);
	if (child->requests >= 0)
		close(child->requests);
	return status;
}

/* Why there is no answer. A process that was well until we ended it had nothing to say. */
static void explain_end(struct ks_operation *operation, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
		log_error("the library crashed: %s", strsignal(WTERMSIG(status)));
		ks_explain(operation, "the library crashed (%s)", strsignal(WTERMSIG(status)));
	} else {
		log_error("the library's process ended without an answer");
		ks_explain(operation, "the library ended its process without an answer");
	}
}

static enum ks_error explain_slowness(struct ks_operation *operation)
{
	log_error("the library was not loaded within %d seconds", CHECK_SECONDS);
	ks_explain(operation, "the library was not loaded within %d seconds", CHECK_SECONDS);
	return KS_DEVICE_FAILED;
}

static enum ks_error encode(
	const struct ks_operation *operation, const struct library_call *call, struct buf *request)
{
	struct library_call complete = *call;

	complete.worker = (uint32_t)getpid();
	complete.grants = ks_grants(operation);
	library_call_encode(&complete, request);
	return buf_status(request);
}

static void child_deinit(struct child *child)
{
	incoming_clear(&child->received);
	buf_deinit(&child->received.body);
	buf_deinit(&child->answers.out);
	pthread_mutex_destroy(&child->answers.writing);
	close(child->answers.fd);
}

/* Until it has ended, for better or worse. */
static enum ks_error serve(struct child *child, struct ks_operation *operation,
	enum library_call_kind kind, struct buf *answer)
{
	int64_t end = kind == LIBRARY_CHECK ? now_ms() + CHECK_SECONDS * 1000 : INT64_MAX;
	enum ks_error error = await_answer(child, operation, end);
	/* At the end of the socket the child is as good as ended: its own end is what is told. */
	int status = child_end(child);

	if (error == KS_DEVICE_FAILED)
		explain_end(operation, status);
	if (error == KS_TIMEOUT)
		return explain_slowness(operation);
	if (error != KS_OK)
		return error;
	buf_put(answer, child->received.frame.done.result);
	return buf_status(answer);
}

enum ks_error apart_call(struct ks_operation *operation, const struct library_call *call,
	int secret, struct buf *answer)
{
	struct child child = {0};
	AUTO(buf) request = {.max = LIBRARY_CALL_MAX};
	enum ks_error error = encode(operation, call, &request);

	if (error == KS_OK)
		error = child_start(&child, operation, secret, buf_bytes(&request));
	if (error != KS_OK)
		return error;
	error = serve(&child, operation, call->kind, answer);
	child_deinit(&child);
	return error;
}
