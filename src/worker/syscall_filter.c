/*
 * The filter, made with libseccomp: lists of names, and rules for those calls of which only some
 * are refused. clone3() hides its flags in memory, where a filter can't look: it seems not to be
 * there, and the C library uses clone() instead.
 */
#include "syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/prctl.h>
#include <seccomp.h>

#include "syscall_list.h"

#define SOCKET_TYPE_MASK 0xf
/* Newer than our floor's headers and libseccomp; of one number everywhere. */
#define SYSCALL_FCHMODAT2 452
#define SYSCALL_LSM_SET_SELF_ATTR 460
#define SYSCALL_SETXATTRAT 463
#define SYSCALL_REMOVEXATTRAT 466
#define SYSCALL_FILE_SETATTR 469
#define SYSCALL_OPEN_TREE_ATTR 467

/* Memory, files and processes of others; ways around the other walls; what only root has use for.
 */
static const int refused[] = {
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(process_mrelease),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(kcmp),
	SCMP_SYS(tkill),
	SCMP_SYS(move_pages),
	SCMP_SYS(migrate_pages),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(io_setup), /* of which the whole machine has only so many */
	SCMP_SYS(io_submit),
	SCMP_SYS(sync), /* everybody's files */
	SCMP_SYS(syncfs),
	SYSCALL_LSM_SET_SELF_ATTR,
	SCMP_SYS(userfaultfd),
	SCMP_SYS(memfd_create), /* memory that no limit counts */
	SCMP_SYS(memfd_secret),
	SCMP_SYS(inotify_init), /* Landlock lets it watch what it may not read */
	SCMP_SYS(inotify_init1),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(personality),
	SCMP_SYS(seccomp),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(shmctl),
	SCMP_SYS(msgget),
	SCMP_SYS(msgsnd),
	SCMP_SYS(msgrcv),
	SCMP_SYS(msgctl),
	SCMP_SYS(semget),
	SCMP_SYS(semop),
	SCMP_SYS(semtimedop),
	SCMP_SYS(semctl),
	SCMP_SYS(mq_open),
	SCMP_SYS(mq_unlink),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(chroot),
	SCMP_SYS(pivot_root),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(name_to_handle_at),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(fanotify_mark),
	SYSCALL_OPEN_TREE_ATTR,
	/*
	 * Landlock has no say in these, so that any file of the person's could be changed: by its
	 * path, or by a descriptor that only reads.
	 */
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SYSCALL_FCHMODAT2,
	SCMP_SYS(chown),
	SCMP_SYS(fchown),
	SCMP_SYS(lchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(setxattr),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(lsetxattr),
	SYSCALL_SETXATTRAT,
	SCMP_SYS(removexattr),
	SCMP_SYS(fremovexattr),
	SCMP_SYS(lremovexattr),
	SYSCALL_REMOVEXATTRAT,
	SYSCALL_FILE_SETATTR,
	SCMP_SYS(utime),
	SCMP_SYS(utimes),
	SCMP_SYS(futimesat),
	SCMP_SYS(utimensat),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(syslog),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(quotactl_fd),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(vhangup),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(nfsservctl),
};

/* Starting programs and what else a process and its children do to each other. */
static const int refused_alone[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(setsid), /* who leaves its group is not killed with it */
	SCMP_SYS(setpgid),
};

/* All that our own code, OpenSSL and the C library do while keys are kept and used. */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),
	SCMP_SYS(pread64),
	SCMP_SYS(access),
	SCMP_SYS(readlink),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(futex),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(mlock),
	SCMP_SYS(mlock2),
	SCMP_SYS(munlock),
	SCMP_SYS(brk),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(time),
	SCMP_SYS(alarm),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(membarrier),
	SCMP_SYS(getrlimit),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* First error stays. */
struct rules {
	scmp_filter_ctx context;
	uint32_t refuse; /* the action for what is refused */
	int error;
};

/* For SCMP_CMP_MASKED_EQ first is the mask; otherwise second is nothing. */
static struct scmp_arg_cmp when(
	unsigned argument, enum scmp_compare how, scmp_datum_t first, scmp_datum_t second)
{
	return (struct scmp_arg_cmp){
		.arg = argument, .op = how, .datum_a = first, .datum_b = second};
}

/* Unknown to this libseccomp or this processor: then nobody can make it either. */
static void keep_error(struct rules *rules, int error)
{
	if (error != 0 && error != -EDOM && error != -EFAULT && rules->error == 0)
		rules->error = error;
}

static void add(struct rules *rules, uint32_t action, int number)
{
	keep_error(rules, seccomp_rule_add(rules->context, action, number, 0));
}

static void add_list(struct rules *rules, uint32_t action, const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(rules, action, numbers[i]);
}

static void add_if(struct rules *rules, uint32_t action, int number, struct scmp_arg_cmp comparison)
{
	keep_error(rules, seccomp_rule_add_array(rules->context, action, number, 1, &comparison));
}

/* ---- What of a call is refused where the rest is allowed ---- */

static void refuse_processes(struct rules *rules)
{
	add_list(rules, rules->refuse, refused_alone,
		sizeof(refused_alone) / sizeof(refused_alone[0]));
	/* Whoever is asked counts the threads. */
	if (rules->refuse == SCMP_ACT_NOTIFY)
		add(rules, rules->refuse, SCMP_SYS(clone));
	else
		add_if(rules, rules->refuse, SCMP_SYS(clone),
			when(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/* Also those that the kernel sends to whoever a descriptor is said to belong to. */
static void refuse_signals_to_others(struct rules *rules)
{
	const scmp_datum_t own = (scmp_datum_t)getpid();
	static const unsigned owner_commands[] = {F_SETOWN, 15 /* F_SETOWN_EX */};
	static const unsigned owner_requests[] = {FIOSETOWN, SIOCSPGRP};

	add_if(rules, rules->refuse, SCMP_SYS(kill), when(0, SCMP_CMP_NE, own, 0));
	add_if(rules, rules->refuse, SCMP_SYS(tgkill), when(0, SCMP_CMP_NE, own, 0));
	add_if(rules, rules->refuse, SCMP_SYS(rt_sigqueueinfo), when(0, SCMP_CMP_NE, own, 0));
	add_if(rules, rules->refuse, SCMP_SYS(rt_tgsigqueueinfo), when(0, SCMP_CMP_NE, own, 0));
	for (size_t i = 0; i < sizeof(owner_commands) / sizeof(owner_commands[0]); i++)
		add_if(rules, rules->refuse, SCMP_SYS(fcntl),
			when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, owner_commands[i]));
	for (size_t i = 0; i < sizeof(owner_requests) / sizeof(owner_requests[0]); i++)
		add_if(rules, rules->refuse, SCMP_SYS(ioctl),
			when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, owner_requests[i]));
}

/* The kernel lets a process slow down or move all others of the same user. */
static void refuse_scheduling_others(struct rules *rules)
{
	static const int by_first[] = {SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler),
		SCMP_SYS(sched_setparam), SCMP_SYS(sched_setattr)};
	static const struct {
		int number;
		scmp_datum_t process; /* what says that the second argument is one */
	} by_second[] = {{SCMP_SYS(setpriority), PRIO_PROCESS}, {SCMP_SYS(ioprio_set), 1}};

	for (size_t i = 0; i < sizeof(by_first) / sizeof(by_first[0]); i++)
		add_if(rules, rules->refuse, by_first[i], when(0, SCMP_CMP_NE, 0, 0));
	for (size_t i = 0; i < sizeof(by_second) / sizeof(by_second[0]); i++) {
		add_if(rules, rules->refuse, by_second[i].number,
			when(0, SCMP_CMP_NE, by_second[i].process, 0));
		add_if(rules, rules->refuse, by_second[i].number, when(1, SCMP_CMP_NE, 0, 0));
	}
}

/* Shared with nobody, as there is no child: it only escapes the limit on memory. */
static void refuse_uncounted_memory(struct rules *rules)
{
	add_if(rules, rules->refuse, SCMP_SYS(mmap),
		when(3, SCMP_CMP_MASKED_EQ, MAP_SHARED | MAP_ANONYMOUS,
			MAP_SHARED | MAP_ANONYMOUS));
}

/* Where the flags say that there is a mode: else anything may stand in its place. */
static void refuse_mode(struct rules *rules, int number, unsigned argument, scmp_datum_t mode)
{
	static const scmp_datum_t making[] = {O_CREAT, O_TMPFILE & ~O_DIRECTORY};

	for (size_t i = 0; i < sizeof(making) / sizeof(making[0]); i++) {
		const struct scmp_arg_cmp both[] = {
			when(argument - 1, SCMP_CMP_MASKED_EQ, making[i], making[i]),
			when(argument, SCMP_CMP_MASKED_EQ, mode, mode)};

		keep_error(rules,
			seccomp_rule_add_array(rules->context, rules->refuse, number, 2, both));
	}
}

/* A program that runs as the person for whoever finds it; no umask keeps that from being made. */
static void refuse_set_id_files(struct rules *rules)
{
	static const scmp_datum_t modes[] = {S_ISUID, S_ISGID};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const scmp_datum_t mode = modes[i];

		refuse_mode(rules, SCMP_SYS(open), 2, mode);
		refuse_mode(rules, SCMP_SYS(openat), 3, mode);
		add_if(rules, rules->refuse, SCMP_SYS(creat),
			when(1, SCMP_CMP_MASKED_EQ, mode, mode));
		add_if(rules, rules->refuse, SCMP_SYS(mknod),
			when(1, SCMP_CMP_MASKED_EQ, mode, mode));
		add_if(rules, rules->refuse, SCMP_SYS(mknodat),
			when(2, SCMP_CMP_MASKED_EQ, mode, mode));
	}
	/* It hides its mode in memory; nobody relies on it. */
	add(rules, rules->refuse == SCMP_ACT_NOTIFY ? rules->refuse : SCMP_ACT_ERRNO(ENOSYS),
		SCMP_SYS(openat2));
}

/* What changes a file, or keeps others from it, by a descriptor that only reads. */
static void refuse_by_reading_descriptors(struct rules *rules)
{
	static const unsigned requests[] = {FS_IOC_SETFLAGS, FS_IOC_SETVERSION, FS_IOC_FSSETXATTR,
		FS_IOC_ENABLE_VERITY, FS_IOC_SET_ENCRYPTION_POLICY};
	static const unsigned commands[] = {F_SETLEASE, F_NOTIFY};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		add_if(rules, rules->refuse, SCMP_SYS(ioctl),
			when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		add_if(rules, rules->refuse, SCMP_SYS(fcntl),
			when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, commands[i]));
}

/* Typing into a terminal for the person. */
static void refuse_terminal_input(struct rules *rules)
{
	static const unsigned requests[] = {TIOCSTI, TIOCLINUX};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		add_if(rules, rules->refuse, SCMP_SYS(ioctl),
			when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
}

/* What harden() took away stays away. */
static void refuse_undoing(struct rules *rules)
{
	static const unsigned options[] = {PR_SET_DUMPABLE, PR_SET_PTRACER, PR_SET_MM,
		PR_SET_PDEATHSIG, PR_SCHED_CORE,
		PR_SET_SECCOMP /* a filter of its own would hide from us what is refused */};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		add_if(rules, rules->refuse, SCMP_SYS(prctl),
			when(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, options[i]));
	add_if(rules, rules->refuse, SCMP_SYS(prlimit64), when(0, SCMP_CMP_NE, 0, 0));
	add_if(rules, rules->refuse, SCMP_SYS(get_robust_list), when(0, SCMP_CMP_NE, 0, 0));
}

/* Unix streams, and TCP: not its relations that connect by other calls than connect(). */
static void refuse_other_sockets(struct rules *rules, bool tcp)
{
	unsigned domain = 0;

	for (unsigned type = 0; type <= SOCKET_TYPE_MASK; type++) {
		if (type != SOCK_STREAM) {
			add_if(rules, rules->refuse, SCMP_SYS(socket),
				when(1, SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, type));
			add_if(rules, rules->refuse, SCMP_SYS(socketpair),
				when(1, SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, type));
		}
	}
	for (; domain < AF_INET6; domain++)
		if (domain != AF_UNIX && !(tcp && domain == AF_INET))
			add_if(rules, rules->refuse, SCMP_SYS(socket),
				when(0, SCMP_CMP_EQ, domain, 0));
	add_if(rules, rules->refuse, SCMP_SYS(socket),
		when(0, SCMP_CMP_GT, tcp ? AF_INET6 : AF_INET6 - 1, 0));
	for (unsigned protocol = 1; protocol < IPPROTO_TCP; protocol++)
		add_if(rules, rules->refuse, SCMP_SYS(socket), when(2, SCMP_CMP_EQ, protocol, 0));
	add_if(rules, rules->refuse, SCMP_SYS(socket), when(2, SCMP_CMP_GT, IPPROTO_TCP, 0));
}

/* A TCP connection that begins with data, and by another call. */
static void refuse_fast_open(struct rules *rules)
{
	add_if(rules, rules->refuse, SCMP_SYS(sendto),
		when(3, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
	add_if(rules, rules->refuse, SCMP_SYS(sendmsg),
		when(2, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
	add_if(rules, rules->refuse, SCMP_SYS(sendmmsg),
		when(3, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
}

/*
 * A datagram goes to any socket whose name is known, connected or not: streams only. Where sockets
 * are of no use there are none.
 */
static void refuse_sockets(struct rules *rules, const struct syscall_filter *filter)
{
	if (filter->connect == FILTER_CONNECT_NEVER || !filter->connects) {
		add(rules, rules->refuse, SCMP_SYS(socket));
		add(rules, rules->refuse, SCMP_SYS(connect));
	} else if (filter->connect == FILTER_CONNECT_BROKERED) {
		add(rules, SCMP_ACT_NOTIFY, SCMP_SYS(connect));
	}
	refuse_other_sockets(rules, filter->tcp);
	refuse_fast_open(rules);
}

/* ---- The kinds of filter ---- */

/* Where it is granted, what others have made can be used, and nothing be made. */
static void refuse_shared_memory(struct rules *rules, bool granted)
{
	if (granted) {
		add_if(rules, rules->refuse, SCMP_SYS(shmget),
			when(2, SCMP_CMP_MASKED_EQ, IPC_CREAT, IPC_CREAT));
		add_if(rules, rules->refuse, SCMP_SYS(shmget),
			when(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, IPC_PRIVATE));
		return;
	}
	add(rules, rules->refuse, SCMP_SYS(shmget));
	add(rules, rules->refuse, SCMP_SYS(shmat));
}

static void refuse_dangerous(struct rules *rules, const struct syscall_filter *filter)
{
	add_list(rules, rules->refuse, refused, sizeof(refused) / sizeof(refused[0]));
	add(rules, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
	refuse_set_id_files(rules);
	refuse_by_reading_descriptors(rules);
	refuse_terminal_input(rules);
	refuse_undoing(rules);
	refuse_sockets(rules, filter);
	refuse_shared_memory(rules, filter->shared_memory);
	refuse_processes(rules);
	refuse_signals_to_others(rules);
	refuse_scheduling_others(rules);
	refuse_uncounted_memory(rules);
}

static void allow_known(struct rules *rules)
{
	add_list(rules, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));
	add(rules, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(clone),
		when(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* The C library passes 0 where nothing is made. */
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(openat),
		when(3, SCMP_CMP_MASKED_EQ, S_ISUID | S_ISGID, 0));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
		when(3, SCMP_CMP_MASKED_EQ, MAP_SHARED | MAP_ANONYMOUS, MAP_ANONYMOUS));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
		when(3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
		when(0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(prctl),
		when(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, PR_SET_NAME));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(fcntl),
		when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, F_GETFD));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(fcntl),
		when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, F_GETFL));
	add_if(rules, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), when(2, SCMP_CMP_EQ, 0, 0));
}

bool syscall_filter_possible(void)
{
#ifdef KEYSTILE_SANITIZED /* LeakSanitizer starts a process and traces this one with it */
	return false;
#else
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
#endif
}

/* Linux 5.9 has SECCOMP_IOCTL_NOTIF_ADDFD, by which a descriptor is put into a process that waits.
 */
bool syscall_filter_can_notify(void)
{
	struct utsname system;
	char *rest = NULL;

	if (!syscall_filter_possible() || uname(&system) != 0)
		return false;
	unsigned long major = strtoul(system.release, &rest, 10);
	unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;

	return major > 5 || (major == 5 && minor >= 9);
}

/*
 * What is not in it seems not to be there, so that libraries fall back on what is. What the other
 * filter refuses is let through to it: it tells somebody.
 */
static void allow_for_device(struct rules *rules)
{
	add_list(rules, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));
	add_list(rules, SCMP_ACT_ALLOW, syscall_list_device, syscall_list_device_count);
	add_list(rules, SCMP_ACT_ALLOW, refused, sizeof(refused) / sizeof(refused[0]));
	add_list(rules, SCMP_ACT_ALLOW, refused_alone,
		sizeof(refused_alone) / sizeof(refused_alone[0]));
}

static int set_attributes(struct rules *rules)
{
	if (rules->error == 0)
		rules->error = seccomp_attr_set(
			rules->context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rules->error == 0) /* a tree instead of a list */
		rules->error = seccomp_attr_set(rules->context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return rules->error;
}

/* Before the other filter, which keeps it from loading any. */
static enum ks_error load_device_list(void)
{
	struct rules rules = {.context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS))};
	enum ks_error outcome = KS_DEVICE_FAILED;

	if (rules.context == NULL)
		return KS_NO_MEMORY;
	allow_for_device(&rules);
	if (set_attributes(&rules) == 0)
		outcome = seccomp_load(rules.context) == 0 ? KS_OK : KS_UNSUPPORTED;
	seccomp_release(rules.context);
	return outcome;
}

/* KS_UNSUPPORTED: the kernel does not take it. */
static enum ks_error load(struct syscall_filter *filter)
{
	bool listed = filter->needs->syscalls == KS_SYSCALLS_LISTED;
	bool notify = filter->connect == FILTER_CONNECT_BROKERED;
	struct rules rules = {.refuse = notify ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(EPERM)};
	enum ks_error outcome = KS_DEVICE_FAILED;

	rules.context = seccomp_init(listed ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
	if (rules.context == NULL)
		return KS_NO_MEMORY;
	if (listed)
		allow_known(&rules);
	else
		refuse_dangerous(&rules, filter);
	if (set_attributes(&rules) == 0)
		outcome = seccomp_load(rules.context) == 0 ? KS_OK : KS_UNSUPPORTED;
	if (outcome == KS_OK && notify)
		filter->notifications = seccomp_notify_fd(rules.context);
	seccomp_release(rules.context);
	return outcome;
}

enum ks_error syscall_filter_enforce(struct syscall_filter *filter)
{
	enum ks_error error = KS_OK;

	filter->notifications = -1;
	if (!syscall_filter_possible())
		return KS_UNSUPPORTED; /* and that is shown */
	/* What only our own code does is refused, or not, but never asked for. */
	if (filter->connect == FILTER_CONNECT_BROKERED &&
		filter->needs->syscalls == KS_SYSCALLS_LISTED)
		filter->connect = FILTER_CONNECT_NEVER;
	if (filter->needs->syscalls == KS_SYSCALLS_DEVICE)
		error = load_device_list();
	if (error != KS_OK)
		return error;
	error = KS_UNSUPPORTED;
	if (filter->connect == FILTER_CONNECT_BROKERED && syscall_filter_can_notify())
		error = load(filter);
	if (error != KS_UNSUPPORTED)
		return error;
	if (filter->connect == FILTER_CONNECT_BROKERED)
		filter->connect = FILTER_CONNECT_FREE;
	return load(filter);
}
