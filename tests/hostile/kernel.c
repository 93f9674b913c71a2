/*
 * Parts of the kernel that a token's worker has no use for, and more rights than it was given.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>

static bool makes_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool makes_mount_namespace(void)
{
	return unshare(CLONE_NEWNS) == 0;
}

static bool makes_network_namespace(void)
{
	return unshare(CLONE_NEWNET) == 0;
}

static bool enters_namespace(void)
{
	return setns(0, 0) == 0;
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

static bool adds_to_keyring(void)
{
	return syscall(SYS_add_key, "user", "keystile", "x", 1, KEY_SPEC_PROCESS_KEYRING) >= 0;
}

static bool searches_keyrings(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1) >= 0;
}

static bool loads_bpf(void)
{
	char attributes[128] = {0};

	return syscall(SYS_bpf, 0, attributes, sizeof(attributes)) >= 0;
}

static bool measures(void)
{
	struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes),
		.exclude_kernel = 1,
		.exclude_hv = 1};

	return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0) >= 0;
}

static bool changes_personality(void)
{
	return personality(ADDR_NO_RANDOMIZE) >= 0;
}

static bool shares_memory(void)
{
	return shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0;
}

static bool makes_semaphores(void)
{
	return semget(IPC_PRIVATE, 1, IPC_CREAT | 0600) >= 0;
}

static bool queues_messages(void)
{
	return msgget(IPC_PRIVATE, IPC_CREAT | 0600) >= 0;
}

static bool queues_messages_by_name(void)
{
	return syscall(SYS_mq_open, "keystile-hostile", O_RDWR | O_CREAT, 0600, NULL) >= 0;
}

static bool becomes_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1) == 0;
}

static bool lets_itself_be_traced(void)
{
	return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY) == 0;
}

static bool outlives_the_agent(void)
{
	return prctl(PR_SET_PDEATHSIG, 0) == 0;
}

/* A filter that permits everything. */
static bool filters_itself(void)
{
	struct sock_filter permit = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
	struct sock_fprog program = {.len = 1, .filter = &permit};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Of calls that it would answer in our place. */
static bool listens_to_its_calls(void)
{
	struct sock_filter permit = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
	struct sock_fprog program = {.len = 1, .filter = &permit};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		       &program) >= 0;
}

static bool moves_its_memory_map(void)
{
	return prctl(PR_SET_MM, PR_SET_MM_START_CODE, 0, 0, 0) == 0 || errno == EINVAL;
}

static bool changes_segments(void)
{
#ifdef SYS_modify_ldt
	char table[64];

	return syscall(SYS_modify_ldt, 0, table, sizeof(table)) >= 0;
#else
	return false;
#endif
}

static bool asks_for_quotas(void)
{
	return syscall(SYS_quotactl, 0x80000100 /* Q_SYNC */, NULL, 0, NULL) == 0;
}

static bool changes_core_pattern(void)
{
	return open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC) >= 0;
}

/* The call returns nothing: refused, it leaves an error. */
static bool writes_everybodys_files(void)
{
	return syscall(SYS_sync) == 0;
}

static bool takes_asynchronous_requests(void)
{
	unsigned long context = 0;

	return syscall(SYS_io_setup, 1, &context) == 0;
}

/* What a security module holds it by; EFAULT, EINVAL or EOPNOTSUPP: it may ask. */
static bool changes_its_label(void)
{
	return syscall(460 /* lsm_set_self_attr */, 100, NULL, 0, 0) == 0 || errno == EFAULT ||
	       errno == EINVAL || errno == EOPNOTSUPP;
}

static bool raises_descriptor_limit(void)
{
	struct rlimit limit = {4096, 4096};

	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static bool raises_core_limit(void)
{
	struct rlimit limit = {4096, 4096};

	return setrlimit(RLIMIT_CORE, &limit) == 0;
}

static bool regains_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.permitted = 1 << CAP_DAC_OVERRIDE, .effective = 1 << CAP_DAC_OVERRIDE}};

	return syscall(SYS_capset, &header, data) == 0;
}

static bool holds_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; half++)
		if ((data[half].permitted | data[half].effective | data[half].inheritable) != 0)
			return true;
	return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 1 && geteuid() == 0;
}

static bool becomes_another_user(void)
{
	return geteuid() == 0 ? setuid(65534) == 0 : setuid(0) == 0;
}

static bool runs_in_real_time(void)
{
	struct sched_param parameters = {.sched_priority = 1};

	return sched_setscheduler(0, SCHED_FIFO, &parameters) == 0;
}

static bool changes_host_name(void)
{
	char name[256] = {0};

	return gethostname(name, sizeof(name)) == 0 && sethostname(name, strlen(name)) == 0;
}

static bool reads_kernel_log(void)
{
	return klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0) >= 0;
}

/* Harmless, and on no list of what a worker needs: it asks which version of Landlock there is. */
static bool makes_a_rare_call(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static bool loads_kernel_module(void)
{
	return syscall(SYS_init_module, "", 0, "") == 0;
}

const struct attempt attempts_on_the_kernel[] = {
	{"hold capabilities", holds_capabilities},
	{"take capabilities back", regains_capabilities},
	{"become another user", becomes_another_user}, /* a user namespace gives some */
	{"make a user namespace", makes_user_namespace},
	{"make a mount namespace", makes_mount_namespace},
	{"make a network namespace", makes_network_namespace},
	{"enter a namespace", enters_namespace},
	{"use io_uring", uses_io_uring},
	{"use userfaultfd", uses_userfaultfd},
	{"add to the kernel's keyring", adds_to_keyring},
	{"search the kernel's keyrings", searches_keyrings},
	{"use bpf", loads_bpf},
	{"use perf", measures},
	{"change its personality", changes_personality},
	{"share memory", shares_memory},
	{"make semaphores", makes_semaphores},
	{"make a queue of messages", queues_messages},
	{"make a queue with a name", queues_messages_by_name},
	{"become dumpable", becomes_dumpable},
	{"let itself be traced", lets_itself_be_traced},
	{"outlive the agent", outlives_the_agent},
	{"filter its own calls", filters_itself},
	{"listen to its own calls", listens_to_its_calls},
	{"move the map of its memory", moves_its_memory_map},
	{"change its segments", changes_segments},
	{"ask for quotas", asks_for_quotas},
	{"change where dumps go", changes_core_pattern},
	{"write everybody's files", writes_everybodys_files},
	{"take requests that the machine shares", takes_asynchronous_requests},
	{"change its label", changes_its_label},
	{"raise the limit of descriptors", raises_descriptor_limit},
	{"raise the limit of dumps", raises_core_limit},
	{"run in real time", runs_in_real_time},
	{"change the machine's name", changes_host_name},
	{"read the kernel's log", reads_kernel_log},
	{"make a rare call", makes_a_rare_call},
	{"load a kernel module", loads_kernel_module},
	{NULL, NULL},
};
