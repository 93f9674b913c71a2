/*
 * A module that has been taken over by its card: when it is loaded it tries to get out, and notes
 * for each try "NAME: succeeded" or why not in the file that HOSTILE_NOTES names. It is no PKCS#11
 * module. HOSTILE_SECRET is a file that it must not read, HOSTILE_VICTIM a process of the same
 * user.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static const char *secret;
static pid_t victim;

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool reads_secret(void)
{
	return opens(secret, O_RDONLY);
}

static bool writes_secret(void)
{
	return opens(secret, O_WRONLY);
}

static bool reads_shadow(void)
{
	return opens("/etc/shadow", O_RDONLY);
}

static bool makes_file_in_tmp(void)
{
	return opens("/tmp/keystile-hostile", O_WRONLY | O_CREAT);
}

static bool lists_root(void)
{
	return opens("/", O_RDONLY | O_DIRECTORY);
}

static bool reads_other_environment(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)victim);
	return opens(path, O_RDONLY);
}

static bool reads_own_memory_file(void)
{
	return opens("/proc/self/mem", O_RDWR);
}

static bool changes_mode(void)
{
	return chmod(secret, 0644) == 0;
}

static bool touches_times(void)
{
	return syscall(SYS_utimes, secret, NULL) == 0;
}

static bool follows_link(void)
{
	return symlink(secret, "/tmp/keystile-hostile-link") == 0;
}

static bool links_secret(void)
{
	return link(secret, "/tmp/keystile-hostile-hard") == 0;
}

static bool forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool executes(void)
{
	char program[] = "/bin/true";
	char *const arguments[] = {program, NULL};

	return execv("/bin/true", arguments) == 0;
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

static bool traces(void)
{
	return ptrace(PTRACE_SEIZE, victim, NULL, NULL) == 0;
}

static bool reads_memory(void)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {(void *)&secret, 1};

	return process_vm_readv(victim, &local, 1, &remote, 1, 0) == 1;
}

static bool takes_descriptor(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, victim, 0);

	return pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, 0, 0) >= 0;
}

static bool signals_victim(void)
{
	return kill(victim, 0) == 0;
}

static bool signals_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool signals_everybody(void)
{
	return kill(-1, 0) == 0;
}

static bool has_signal_sent(void)
{
	int ends[2];

	return pipe(ends) == 0 && fcntl(ends[0], F_SETOWN, victim) == 0;
}

static bool becomes_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1) == 0;
}

static bool outlives(void)
{
	struct rlimit limit = {4096, 4096};

	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static bool connects_tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool sends_datagrams(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}

static bool sends_datagrams_by_pair(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0;
}

static bool talks_to_the_kernel(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

static bool sends_packets(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

/* The test listens there. */
static bool connects_abstract(void)
{
	static const char name[] = "\0keystile-hostile";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, name, sizeof(name) - 1);
	return fd >= 0 &&
	       connect(fd, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name) - 1)) == 0;
}

static bool listens(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/tmp/keystile-hostile-s"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool makes_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool uses_io_uring(void)
{
	char parameters[256] = {0};

	return syscall(SYS_io_uring_setup, 1, parameters) >= 0;
}

static bool uses_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */) >= 0;
}

static bool uses_keyring(void)
{
	return syscall(SYS_add_key, "user", "keystile", "x", 1, -2) >= 0;
}

static bool shares_memory(void)
{
	return shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0;
}

static bool loads_bpf(void)
{
	char attributes[128] = {0};

	return syscall(SYS_bpf, 0, attributes, sizeof(attributes)) >= 0;
}

/* The one that is allowed, so that the others' failures mean something. */
static bool reads_its_library(void)
{
	return opens("/usr/lib/os-release", O_RDONLY);
}

static const struct
try {
	const char *name;
	bool (*succeeds)(void);
}
tries[] = {
	{"read what a module needs", reads_its_library},
	{"read a secret", reads_secret},
	{"write a secret", writes_secret},
	{"read /etc/shadow", reads_shadow},
	{"make a file in /tmp", makes_file_in_tmp},
	{"list /", lists_root},
	{"read the environment of another process", reads_other_environment},
	{"open its own memory as a file", reads_own_memory_file},
	{"change the mode of a secret", changes_mode},
	{"change the times of a secret", touches_times},
	{"make a symbolic link", follows_link},
	{"make a hard link", links_secret},
	{"fork", forks},
	{"exec", executes},
	{"exec from memory", executes_memory},
	{"trace another process", traces},
	{"read another process's memory", reads_memory},
	{"take another process's descriptor", takes_descriptor},
	{"signal another process", signals_victim},
	{"signal its parent", signals_parent},
	{"signal everybody", signals_everybody},
	{"have a signal sent", has_signal_sent},
	{"become dumpable", becomes_dumpable},
	{"raise its limits", outlives},
	{"make a TCP socket", connects_tcp},
	{"make a datagram socket", sends_datagrams},
	{"make a pair of datagram sockets", sends_datagrams_by_pair},
	{"make a netlink socket", talks_to_the_kernel},
	{"make a packet socket", sends_packets},
	{"connect to an abstract socket", connects_abstract},
	{"listen", listens},
	{"make a user namespace", makes_namespace},
	{"use io_uring", uses_io_uring},
	{"use userfaultfd", uses_userfaultfd},
	{"use the kernel's keyring", uses_keyring},
	{"share memory", shares_memory},
	{"use bpf", loads_bpf},
};

__attribute__((constructor)) static void try_all(void)
{
	const char *notes = getenv("HOSTILE_NOTES");
	const char *number = getenv("HOSTILE_VICTIM");
	FILE *file = notes != NULL ? fopen(notes, "ae") : NULL;

	secret = getenv("HOSTILE_SECRET");
	if (file == NULL || secret == NULL || number == NULL)
		return;
	victim = (pid_t)atoi(number);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		errno = 0;
		bool succeeded = tries[i].succeeds();

		fprintf(file, "%s: %s\n", tries[i].name, succeeded ? "succeeded" : strerror(errno));
	}
	fprintf(file, "end\n");
	fclose(file);
}
