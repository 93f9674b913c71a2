#include "syscall_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/prctl.h>
#include <seccomp.h>

#include <keystile/system_calls.h>

#include "syscall_list.h"

#define SOCKET_TYPE_MASK 0xf

/* For SCMP_CMP_MASKED_EQ first is the mask; otherwise second is nothing. */
static struct scmp_arg_cmp when(
	unsigned argument, enum scmp_compare how, scmp_datum_t first, scmp_datum_t second)
{
	return (struct scmp_arg_cmp){
		.arg = argument, .op = how, .datum_a = first, .datum_b = second};
}

/* Unknown to this libseccomp or this processor: then nobody can make it either. */
static void keep_error(struct syscall_rules *rules, int error)
{
	if (error != 0 && error != -EDOM && error != -EFAULT && rules->error == 0)
		rules->error = error;
}

static void add(struct syscall_rules *rules, uint32_t action, int number)
{
	keep_error(rules, seccomp_rule_add(rules->context, action, number, 0));
}

static void add_list(struct syscall_rules *rules, uint32_t action, const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(rules, action, numbers[i]);
}

static void add_if(
	struct syscall_rules *rules, uint32_t action, int number, struct scmp_arg_cmp comparison)
{
	keep_error(rules, seccomp_rule_add_array(rules->context, action, number, 1, &comparison));
}

/* ---- What of a call is refused where the rest is allowed ---- */

static void refuse_processes(struct syscall_rules *rules)
{
	add_list(rules, rules->refuse, syscall_list_alone, syscall_list_alone_count);
	/* Whoever is asked counts the threads. */
	if (rules->refuse == SCMP_ACT_NOTIFY)
		add(rules, rules->refuse, SCMP_SYS(clone));
	else
		add_if(rules, rules->refuse, SCMP_SYS(clone),
			when(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/* Also those that the kernel sends to whoever a descriptor is said to belong to. */
static void refuse_signals_to_others(struct syscall_rules *rules)
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
static void refuse_scheduling_others(struct syscall_rules *rules)
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
static void refuse_uncounted_memory(struct syscall_rules *rules)
{
	add_if(rules, rules->refuse, SCMP_SYS(mmap),
		when(3, SCMP_CMP_MASKED_EQ, MAP_SHARED | MAP_ANONYMOUS,
			MAP_SHARED | MAP_ANONYMOUS));
}

/* Where the flags say that there is a mode: else anything may stand in its place. */
static void refuse_mode(
	struct syscall_rules *rules, int number, unsigned argument, scmp_datum_t mode)
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
static void refuse_set_id_files(struct syscall_rules *rules)
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
static void refuse_by_reading_descriptors(struct syscall_rules *rules)
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
static void refuse_terminal_input(struct syscall_rules *rules)
{
	static const unsigned requests[] = {TIOCSTI, TIOCLINUX};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		add_if(rules, rules->refuse, SCMP_SYS(ioctl),
			when(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
}

/* What harden() took away stays away. */
static void refuse_undoing(struct syscall_rules *rules)
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
static void refuse_other_sockets(struct syscall_rules *rules, bool tcp)
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
static void refuse_fast_open(struct syscall_rules *rules)
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
static void refuse_sockets(struct syscall_rules *rules, const struct syscall_filter *filter)
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

/* Where it is granted, what others have made can be used, and nothing be made. */
static void refuse_shared_memory(struct syscall_rules *rules, bool granted)
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

/* ---- The kinds of filter ---- */

void syscall_rules_refuse(struct syscall_rules *rules, const struct syscall_filter *filter)
{
	add_list(rules, rules->refuse, system_calls_useless, system_calls_useless_count);
	add_list(rules, rules->refuse, syscall_list_refused, syscall_list_refused_count);
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

void syscall_rules_allow_keys(struct syscall_rules *rules)
{
	add_list(rules, SCMP_ACT_ALLOW, syscall_list_keys, syscall_list_keys_count);
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

void syscall_rules_allow_device(struct syscall_rules *rules)
{
	add_list(rules, SCMP_ACT_ALLOW, syscall_list_keys, syscall_list_keys_count);
	add_list(rules, SCMP_ACT_ALLOW, syscall_list_device, syscall_list_device_count);
	add_list(rules, SCMP_ACT_ALLOW, system_calls_useless, system_calls_useless_count);
	add_list(rules, SCMP_ACT_ALLOW, syscall_list_refused, syscall_list_refused_count);
	add_list(rules, SCMP_ACT_ALLOW, syscall_list_alone, syscall_list_alone_count);
}
