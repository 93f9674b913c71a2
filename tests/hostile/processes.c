/*
 * Other processes: new ones, the agent (the parent), and a victim of the same user.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <asm/ioctls.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* ---- New ones ---- */

static bool forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid > 0;
}

static bool clones(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid > 0;
}

static bool clones_a_process(void)
{
	return clones(0);
}

static bool clones_into_a_namespace(void)
{
	return clones(CLONE_NEWUSER | CLONE_NEWNET);
}

static bool clones_by_the_newer_call(void)
{
	unsigned long long arguments[11] = {[4] = SIGCHLD};
	long pid = syscall(SYS_clone3, arguments, sizeof(arguments));

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid > 0;
}

static bool executes(void)
{
	char program[] = "/bin/true";
	char *const arguments[] = {program, NULL};

	return execv("/bin/true", arguments) == 0;
}

/* What the shell's loader does for a program that may only be read. */
static bool executes_by_the_loader(void)
{
	char program[] = "/lib64/ld-linux-x86-64.so.2";
	char *const arguments[] = {program, NULL};

	return execv(program, arguments) == 0;
}

static bool makes_unnamed_memory_file(void)
{
	return memfd_create("x", 0) >= 0;
}

static bool executes_memory(void)
{
	static const char script[] = "#!/bin/true\n";
	char name[] = "x";
	char *const arguments[] = {name, NULL};
	int fd = memfd_create("x", 0);

	if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0)
		return false;
	return fexecve(fd, arguments, environ) == 0;
}

/* ---- What others hold ---- */

static bool traces(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
		return false;
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return true;
}

static bool traces_victim(void)
{
	return traces(hostile_victim);
}

static bool traces_agent(void)
{
	return traces(getppid());
}

/* From then on each signal, also one that it ignores, would stop it for the agent, for ever. */
static bool is_traced_by_agent(void)
{
	/* Where no system call is refused the rest could not be tried. */
#ifdef KEYSTILE_SANITIZED
	return false;
#else
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
#endif
}

static bool finds_locks_of_victim(void)
{
	void *head;
	size_t len;

	return syscall(SYS_get_robust_list, hostile_victim, &head, &len) == 0;
}

/* EFAULT: it may, and there is nothing at that place. */
static bool reads_memory(pid_t pid)
{
	char byte;
	struct iovec local = {&byte, 1};
	struct iovec remote = {&byte, 1};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 || errno == EFAULT;
}

static bool reads_memory_of_victim(void)
{
	return reads_memory(hostile_victim);
}

static bool reads_memory_of_agent(void)
{
	return reads_memory(getppid());
}

static bool writes_memory_of_agent(void)
{
	char byte = 0;
	struct iovec local = {&byte, 1};
	struct iovec remote = {&byte, 1};

	return process_vm_writev(getppid(), &local, 1, &remote, 1, 0) == 1 || errno == EFAULT;
}

static bool takes_descriptor(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, 0, 0) >= 0;
}

static bool takes_descriptor_of_victim(void)
{
	return takes_descriptor(hostile_victim);
}

static bool takes_descriptor_of_agent(void)
{
	return takes_descriptor(getppid());
}

static bool compares_with_agent(void)
{
	return syscall(SYS_kcmp, getpid(), getppid(), 1 /* KCMP_VM */, 0, 0) >= 0;
}

/* ---- Signals ---- */

static bool signals_victim(void)
{
	return kill(hostile_victim, 0) == 0;
}

static bool signals_agent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool signals_thread_of_agent(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0 ||
	       syscall(SYS_tkill, getppid(), 0) == 0;
}

static bool signals_group_of_agent(void)
{
	return kill(-getpgid(getppid()), 0) == 0;
}

static bool leaves_its_group(void)
{
	return setpgid(0, getpgid(getppid())) == 0 || setsid() >= 0;
}

static bool signals_everybody(void)
{
	return kill(-1, 0) == 0;
}

static bool queues_signal(void)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return syscall(SYS_rt_sigqueueinfo, hostile_victim, 0, &info) == 0;
}

static bool signals_by_descriptor(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, hostile_victim, 0);

	return pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0;
}

static bool has_signal_sent(void)
{
	int ends[2];

	return pipe(ends) == 0 && fcntl(ends[0], F_SETOWN, hostile_victim) == 0;
}

static bool has_signal_sent_by_ioctl(void)
{
	return ioctl(STDERR_FILENO, FIOASYNC, NULL) == 0 ||
	       ioctl(3, 0x8901 /* FIOSETOWN */, &hostile_victim) == 0;
}

static bool has_timer_signal_agent(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGTERM};
	timer_t timer;

	event._sigev_un._tid = getppid();
	return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
}

/* ---- The processor's time: to what it is, as this must do no harm where nothing keeps it ---- */

static bool slows_agent_down(void)
{
	return setpriority(PRIO_PROCESS, (id_t)getppid(), 0) == 0;
}

static bool slows_everybody_down(void)
{
	return setpriority(PRIO_USER, 0, 0) == 0;
}

static bool schedules_agent(void)
{
	struct sched_param parameters = {0};

	return sched_setscheduler(getppid(), SCHED_OTHER, &parameters) == 0;
}

static bool moves_agent(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	return sched_setaffinity(getppid(), sizeof(all), &all) == 0;
}

static bool slows_disk_of_agent(void)
{
	return syscall(SYS_ioprio_set, 1 /* a process */, getppid(), 0) == 0;
}

static bool limits_agent(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	(void)prlimit(getppid(), RLIMIT_NPROC, NULL, &limit);
	return prlimit(getppid(), RLIMIT_NPROC, &limit, NULL) == 0;
}

const struct attempt attempts_on_processes[] = {
	{"fork", forks},
	{"clone a process", clones_a_process},
	{"clone a process into a namespace", clones_into_a_namespace},
	{"clone a process by clone3", clones_by_the_newer_call},
	{"exec", executes},
	{"exec by the loader", executes_by_the_loader},
	{"make a file in memory", makes_unnamed_memory_file},
	{"exec from memory", executes_memory},
	{"trace another process", traces_victim},
	{"trace the agent", traces_agent},
	{"be traced by the agent", is_traced_by_agent},
	{"find the locks of another process", finds_locks_of_victim},
	{"read another process's memory", reads_memory_of_victim},
	{"read the agent's memory", reads_memory_of_agent},
	{"write the agent's memory", writes_memory_of_agent},
	{"take another process's descriptor", takes_descriptor_of_victim},
	{"take the agent's descriptor", takes_descriptor_of_agent},
	{"compare itself with the agent", compares_with_agent},
	{"signal another process", signals_victim},
	{"signal the agent", signals_agent},
	{"signal a thread of the agent", signals_thread_of_agent},
	{"signal the agent's group", signals_group_of_agent},
	{"leave its group", leaves_its_group},
	{"signal everybody", signals_everybody},
	{"queue a signal", queues_signal},
	{"signal by a descriptor", signals_by_descriptor},
	{"have a signal sent", has_signal_sent},
	{"have a signal sent by ioctl", has_signal_sent_by_ioctl},
	{"have a timer signal the agent", has_timer_signal_agent},
	{"slow the agent down", slows_agent_down},
	{"slow everybody down", slows_everybody_down},
	{"schedule the agent", schedules_agent},
	{"move the agent to another processor", moves_agent},
	{"slow the agent's disk down", slows_disk_of_agent},
	{"limit the agent", limits_agent},
	{NULL, NULL},
};
