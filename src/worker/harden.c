/*
 * One function for each right that a worker gives up, and the list of them. A module or a
 * token that takes over this process should find no terminal, no descriptor of somebody
 * else's, no way to more privileges, and no life after the agent's.
 */
#include "harden.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>

#include <keystile/capabilities.h>

#define DESCRIPTORS_MAX 256
#define MEMORY_PROBE ((size_t)16 << 20) /* a crash with less left than this is for want of it */
#define FILE_SIZE_MAX ((rlim_t)256 << 20)
/*
 * Threads are counted for the user as a whole, so this is far above what anybody runs: it only
 * keeps one process from taking all numbers of the machine.
 */
#define THREADS_MAX 16384

/* Somebody's privileges would be lent to code that the caller chose. */
static bool refuse_set_id(void)
{
	errno = EPERM;
	return getauxval(AT_SECURE) == 0;
}

static bool is_our_channel(int channel)
{
	int domain = 0;
	int type = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(channel, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
		getsockopt(channel, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
		return false;
	errno = ENOTSOCK;
	return domain == AF_UNIX && type == SOCK_STREAM;
}

/* Where the machine has no memory left, the kernel ends this before anything of the person's. */
static void be_first_to_go(void)
{
	static const char most[] = "1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, most, sizeof(most) - 1) < 0)
		errno = 0; /* a machine without /proc has other troubles */
	close(fd);
}

/* Standard descriptors stay open, or a file opened later would take their numbers. */
static bool fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

/* The agent reads what is written there as slowly as it likes: what does not fit is lost. */
static bool never_wait_to_write(void)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		struct stat facts;
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || fstat(fd, &facts) != 0)
			return false;
		if (S_ISFIFO(facts.st_mode) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
			return false;
	}
	return true;
}

static bool close_other_descriptors(int channel, int last)
{
	int flags = fcntl(channel, F_GETFL);

	return is_our_channel(channel) && flags >= 0 &&
	       fcntl(channel, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
	       fcntl(channel, F_SETFD, FD_CLOEXEC) == 0 &&
	       close_range((unsigned)last + 1, ~0U, 0) == 0;
}

static bool refuse_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Other processes of the same person can't read our memory; no core file holds a PIN. */
static bool refuse_dumps(void)
{
	const struct rlimit none = {0, 0};

#ifndef KEYSTILE_SANITIZED /* LeakSanitizer traces its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return false;
#endif
	return setrlimit(RLIMIT_CORE, &none) == 0;
}

/* An agent that was gone before prctl() took effect has closed its end of the socket. */
static bool die_with_the_agent(int channel)
{
	struct pollfd end = {.fd = channel, .events = POLLRDHUP};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || poll(&end, 1, 0) < 0)
		return false;
	errno = EPIPE;
	return (end.revents & (POLLHUP | POLLRDHUP | POLLERR)) == 0;
}

static bool limit(int resource, rlim_t most)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
		return false;
	if (now.rlim_max > most)
		now.rlim_max = most;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &now) == 0;
}

static bool limit_memory(void)
{
#ifndef KEYSTILE_SANITIZED /* shadow memory is mapped by the terabyte */
	return limit(RLIMIT_AS, HARDEN_ADDRESS_SPACE_MAX) && limit(RLIMIT_DATA, HARDEN_DATA_MAX);
#else
	return true;
#endif
}

static bool limit_resources(void)
{
	return limit_memory() && limit(RLIMIT_NOFILE, DESCRIPTORS_MAX) &&
	       limit(RLIMIT_NPROC, THREADS_MAX) && limit(RLIMIT_FSIZE, FILE_SIZE_MAX) &&
	       limit(RLIMIT_MSGQUEUE, 0) && limit(RLIMIT_RTPRIO, 0);
}

/* For root, who locks as much as it likes until it has given that up. */
static void keep_locking(void)
{
	const struct rlimit all = {HARDEN_DATA_MAX, HARDEN_DATA_MAX};

	if ((capabilities_held() & CAPABILITY(CAP_IPC_LOCK)) != 0)
		(void)setrlimit(RLIMIT_MEMLOCK, &all);
}

static bool drop_capabilities(void)
{
	keep_locking();
	return capabilities_keep(0);
}

/* Neither can a module ask for a PIN on the terminal, nor does ^C there reach the worker. */
static bool leave_the_terminal(int channel)
{
	(void)channel;
	return setsid() >= 0 || getsid(0) == getpid() || getpgrp() == getpid();
}

static bool reset_signals(void)
{
	sigset_t none;

	/* Fails for SIGKILL, SIGSTOP and what the C library keeps to itself: they are as they are.
	 */
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	return signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGXFSZ, SIG_IGN) != SIG_ERR &&
	       sigemptyset(&none) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* A process that can't have this much more ends by its limit. All of it may be called anywhere. */
static void on_crash(int number)
{
	static const char words[] = "it used up the memory that it may have\n";
	void *piece = mmap(NULL, MEMORY_PROBE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)signal(number, SIG_DFL);
	if (piece == MAP_FAILED && write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		errno = 0; /* who does not hear it knows the signal */
	/* Held until this returns, it then ends the process, also where nothing happens again. */
	raise(number);
}

/* A sanitizer explains better. */
static bool crashes_explained(void)
{
#ifdef KEYSTILE_SANITIZED
	return true;
#else
	return false;
#endif
}

void harden_explain_crashes(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGILL};
	struct sigaction action = {.sa_handler = on_crash};

	if (crashes_explained())
		return;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

static bool narrow_umask(void)
{
	umask(077);
	return true;
}

struct right {
	const char *name;
	bool (*give_up)(void);
};

struct channel_right {
	const char *name;
	bool (*give_up)(int channel);
};

static const struct right rights[] = {
	{"the privileges of a set-id program", refuse_set_id},
	{"standard descriptors that are closed", fill_standard_descriptors},
	{"time that writing takes", never_wait_to_write},
	{"new privileges", refuse_new_privileges},
	{"memory dumps", refuse_dumps},
	{"unlimited resources", limit_resources},
	{"the powers of root", drop_capabilities},
	{"inherited signal handling", reset_signals},
	{"files that others can read", narrow_umask},
};

static const struct channel_right channel_rights[] = {
	{"a life after the agent's", die_with_the_agent},
	{"the terminal", leave_the_terminal},
};

const char *harden_program(bool foreign_code)
{
	if (foreign_code) /* before memory dumps go: the file is root's then */
		be_first_to_go();
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (!rights[i].give_up())
			return rights[i].name;
	return NULL;
}

const char *harden(int channel, int last, bool foreign_code)
{
	const char *kept = harden_program(foreign_code);

	if (foreign_code)
		harden_explain_crashes();
	if (kept == NULL && !close_other_descriptors(channel, last))
		kept = "descriptors other than the agent's socket";
	for (size_t i = 0; kept == NULL && i < sizeof(channel_rights) / sizeof(channel_rights[0]);
		i++)
		if (!channel_rights[i].give_up(channel))
			kept = channel_rights[i].name;
	return kept;
}
