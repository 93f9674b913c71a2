/*
 * See give_up.h. Landlock is left out: it would hold for askpass and pinentry too, which read
 * fonts, themes, the X authority and whatever else a desktop has. So are namespaces and mounts, as
 * a prompt program may be one that a sandbox of its own starts. The command that is started with
 * the agent is its parent, and free of all of this.
 *
 * Workers inherit the filter and add their own, by which the agent is asked for what is refused
 * (broker.h). Of two filters the stricter answer counts, and to refuse at once is stricter than to
 * ask. So this one says "ask" too, of whom there is nobody: then a call fails with ENOSYS here and
 * in prompt programs, and is told of in workers, as among equals the newer filter is heard.
 */
#include "give_up.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <keystile/capabilities.h>
#include <keystile/log.h>
#include <keystile/system_calls.h>

#define LOCKED_MAX ((rlim_t)1 << 30)
#define INSTRUCTIONS_MAX 1024

/* Root's agent tells who its clients are, locks PINs in memory, and asks in others' terminals. */
#define CAPABILITIES_KEPT                                                                          \
	(CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_IPC_LOCK) | CAPABILITY(CAP_DAC_OVERRIDE) |    \
		CAPABILITY(CAP_DAC_READ_SEARCH))

/* An error ends the agent's own work in no way, as it makes none of these calls. */
static bool add_rules(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < system_calls_useless_count; i++) {
		int error =
			seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), system_calls_useless[i], 0);

		/* Unknown to this libseccomp or this processor. */
		if (error != 0 && error != -EDOM && error != -EFAULT)
			return false;
	}
	return seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) == 0 &&
	       seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0;
}

/* A kernel before 5.0 does not know of asking, and would kill. */
static bool kernel_asks(void)
{
	struct utsname system;

	return uname(&system) == 0 && strtoul(system.release, NULL, 10) >= 5;
}

static void ask_instead(struct sock_fprog *program)
{
	for (unsigned i = 0; i < program->len; i++) {
		struct sock_filter *one = &program->filter[i];

		if (one->code == (BPF_RET | BPF_K) && one->k == (SECCOMP_RET_ERRNO | EPERM))
			one->k = SECCOMP_RET_USER_NOTIF;
	}
}

/* Not by libseccomp, which would make somebody to be asked: then workers could have nobody. */
static bool load(scmp_filter_ctx filter)
{
	struct sock_filter instructions[INSTRUCTIONS_MAX];
	struct sock_fprog program = {.filter = instructions};
	ssize_t got = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	if (seccomp_export_bpf(filter, ends[1]) == 0)
		got = read(ends[0], instructions, sizeof(instructions));
	close(ends[0]);
	close(ends[1]);
	if (got <= 0 || (size_t)got >= sizeof(instructions))
		return false;
	program.len = (unsigned short)((size_t)got / sizeof(instructions[0]));
	if (kernel_asks())
		ask_instead(&program);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* LeakSanitizer starts a process and traces this one with it. */
static bool may_filter(void)
{
#ifdef KEYSTILE_SANITIZED
	return false;
#else
	return true;
#endif
}

static bool give_up_system_calls(void)
{
	scmp_filter_ctx filter = may_filter() ? seccomp_init(SCMP_ACT_ALLOW) : NULL;
	bool loaded = filter != NULL && add_rules(filter) && load(filter);

	seccomp_release(filter);
	return loaded;
}

/* Workers lock memory too, and can't lift this limit themselves afterwards. */
static bool give_up_capabilities(void)
{
	const struct rlimit locked = {LOCKED_MAX, LOCKED_MAX};

	if ((capabilities_held() & CAPABILITY(CAP_SYS_RESOURCE)) != 0)
		(void)setrlimit(RLIMIT_MEMLOCK, &locked);
	return capabilities_keep(CAPABILITIES_KEPT);
}

void agent_give_up(struct given_up *out)
{
	out->privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
	out->capabilities = out->privileges && give_up_capabilities();
	out->system_calls = out->privileges && give_up_system_calls();
	if (!out->privileges || !out->capabilities)
		log_warning("the agent could not give up what it does not need");
}
