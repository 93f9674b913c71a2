/*
 * Capabilities by the kernel's own calls: libcap would be a library for two of them.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include <keystile/capabilities.h>

#define CAPABILITIES_MAX 64

struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static bool get(struct sets *sets)
{
	*sets = (struct sets){.header = {.version = _LINUX_CAPABILITY_VERSION_3}};
	return syscall(SYS_capget, &sets->header, sets->data) == 0;
}

uint64_t capabilities_held(void)
{
	struct sets sets;

	if (!get(&sets))
		return 0;
	return sets.data[0].permitted | (uint64_t)sets.data[1].permitted << 32;
}

/* Who may not shrink this set holds nothing that exec() could give back by it. */
static bool shrink_bounding_set(uint64_t kept)
{
	for (unsigned long number = 0; number < CAPABILITIES_MAX; number++) {
		if ((kept & CAPABILITY(number)) == 0 &&
			prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && errno != EINVAL)
			return errno == EPERM;
	}
	return true;
}

bool capabilities_keep(uint64_t kept)
{
	struct sets sets;

	if (!get(&sets) || !shrink_bounding_set(kept) ||
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return false;
	for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; half++) {
		uint32_t left = (uint32_t)(kept >> 32 * half);

		sets.data[half].permitted &= left;
		sets.data[half].effective = sets.data[half].permitted;
		sets.data[half].inheritable = 0;
	}
	return syscall(SYS_capset, &sets.header, sets.data) == 0;
}
