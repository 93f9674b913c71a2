#include "syscall_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include <seccomp.h>

#include "syscall_rules.h"

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

static int set_attributes(struct syscall_rules *rules)
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
	struct syscall_rules rules = {.context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS))};
	enum ks_error outcome = KS_DEVICE_FAILED;

	if (rules.context == NULL)
		return KS_NO_MEMORY;
	syscall_rules_allow_device(&rules);
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
	struct syscall_rules rules = {.refuse = notify ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(EPERM)};
	enum ks_error outcome = KS_DEVICE_FAILED;

	rules.context = seccomp_init(listed ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
	if (rules.context == NULL)
		return KS_NO_MEMORY;
	if (listed)
		syscall_rules_allow_keys(&rules);
	else
		syscall_rules_refuse(&rules, filter);
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
