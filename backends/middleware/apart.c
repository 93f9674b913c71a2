/*
 * A child process, its one answer, and its certain end.
 */
#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

/* Numbers of the descriptors that the child keeps besides the standard ones. */
#define ANSWER_FD 3
#define SECRET_FD 4

struct child {
	pid_t pid;
	int answers; /* reading end */
};

/* ---- The child ---- */

/* Both are moved out of the way first, as either may have the other's number. */
static bool keep_descriptors(int answers, int secret)
{
	int answers_high = fcntl(answers, F_DUPFD, SECRET_FD + 1);
	int secret_high = secret < 0 ? -1 : fcntl(secret, F_DUPFD, SECRET_FD + 1);
	unsigned first_other = secret < 0 ? SECRET_FD : SECRET_FD + 1;

	return answers_high >= 0 && dup2(answers_high, ANSWER_FD) == ANSWER_FD &&
	       (secret < 0 || (secret_high >= 0 && dup2(secret_high, SECRET_FD) == SECRET_FD)) &&
	       close_range(first_other, ~0U, 0) == 0;
}

/* PR_SET_PDEATHSIG comes too late for a worker that ended just before. */
static bool die_with_worker(pid_t worker)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == worker;
}

static void write_all(struct bytes bytes)
{
	while (bytes.len > 0) {
		ssize_t written = write(ANSWER_FD, bytes.data, bytes.len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		bytes.data += written;
		bytes.len -= (size_t)written;
	}
}

static _Noreturn void child_main(
	pid_t worker, int answers, int secret, apart_function *function, const void *argument)
{
	struct buf answer = {0};
	size_t opened;

	log_to(NULL, NULL); /* the other sink is the agent's socket */
	(void)setpgid(0, 0);
	if (!die_with_worker(worker) || !keep_descriptors(answers, secret))
		_exit(1);
	buf_init(&answer, APART_ANSWER_MAX);
	opened = buf_open_string(&answer);
	function(argument, secret < 0 ? -1 : SECRET_FD, &answer);
	buf_close_string(&answer, opened);
	if (buf_status(&answer) == KS_OK)
		write_all(buf_bytes(&answer));
	_exit(0);
}

/* ---- The worker ---- */

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER; /* of a process */

void apart_pause(void)
{
	pthread_mutex_lock(&making);
}

void apart_resume(void)
{
	pthread_mutex_unlock(&making);
}

static pid_t make_process(void)
{
	pid_t pid;

	pthread_mutex_lock(&making);
	pid = fork();
	if (pid != 0)
		pthread_mutex_unlock(&making);
	return pid;
}

static enum ks_error child_start(
	struct child *child, apart_function *function, const void *argument, int secret)
{
	pid_t worker = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0) {
		log_error("no pipe for a process: %s", strerror(errno));
		return KS_NO_MEMORY;
	}
	child->pid = make_process();
	if (child->pid == 0)
		child_main(worker, ends[1], secret, function, argument);
	close(ends[1]);
	child->answers = ends[0];
	if (child->pid > 0)
		return KS_OK;
	log_error("no process for the library: %s", strerror(errno));
	close(ends[0]);
	return KS_NO_MEMORY;
}

/* Whatever it is at, and what it started with it; returns as waitpid() does. */
static int child_end(struct child *child)
{
	int status = 0;
	pid_t pid;

	kill(-child->pid, SIGKILL); /* its group, where it has come to have one */
	kill(child->pid, SIGKILL);
	do {
		pid = waitpid(child->pid, &status, 0);
	} while (pid < 0 && errno == EINTR);
	close(child->answers);
	return status;
}

/* True when all of the answer is there: a string. */
static bool complete(const struct buf *received)
{
	struct reader in = reader_of(buf_bytes(received));

	reader_string(&in);
	return !in.failed;
}

/* False at the end of the pipe, and for more than an answer may have. */
static bool receive(const struct child *child, struct buf *received)
{
	uint8_t *room = buf_reserve(received, APART_ANSWER_MAX - received->len);
	ssize_t got;

	if (room == NULL || received->len == APART_ANSWER_MAX)
		return false;
	do {
		got = read(child->answers, room, APART_ANSWER_MAX - received->len);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return false;
	received->len += (size_t)got;
	return true;
}

static enum ks_error await_answer(
	const struct child *child, struct ks_operation *operation, struct buf *received)
{
	struct pollfd events[] = {{.fd = child->answers, .events = POLLIN},
		{.fd = ks_cancel_fd(operation), .events = POLLIN}};

	while (!complete(received)) {
		if (poll(events, 2, ks_time_left_ms(operation)) < 0 && errno != EINTR)
			return KS_DEVICE_FAILED;
		if (ks_cancelled(operation))
			return KS_CANCELLED;
		if (events[0].revents != 0 && !receive(child, received))
			return KS_DEVICE_FAILED;
	}
	return KS_OK;
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

enum ks_error apart_run(struct ks_operation *operation, apart_function *function,
	const void *argument, int secret, struct buf *answer)
{
	struct child child;
	AUTO(buf) received = {0};
	enum ks_error error = child_start(&child, function, argument, secret);

	if (error != KS_OK)
		return error;
	buf_init(&received, APART_ANSWER_MAX);
	error = await_answer(&child, operation, &received);
	/* At the end of the pipe the child is as good as ended: its own end is what is told. */
	int status = child_end(&child);
	if (error == KS_DEVICE_FAILED)
		explain_end(operation, status);
	if (error != KS_OK)
		return error;
	struct reader in = reader_of(buf_bytes(&received));
	buf_put(answer, reader_string(&in));
	return buf_status(answer);
}
