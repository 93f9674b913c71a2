/*
 * Rights by the version of the kernel's interface, and the three system calls. Debian 12's headers
 * end at version 2: the later constants are defined here as the kernel's documentation has them.
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>
#include <linux/openat2.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE /* version 3 */
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV /* version 5 */
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#define NET_BIND_TCP (1ULL << 0) /* version 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0) /* version 6 */
#define SCOPE_SIGNAL (1ULL << 1)

#define RIGHTS_1                                                                                   \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                       \
		LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                   \
		LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                       \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                       \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                     \
		LANDLOCK_ACCESS_FS_MAKE_SYM)
#define RIGHTS_OF_FILES                                                                            \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |                       \
		LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* As the kernel takes it; one that knows less takes the beginning, when the rest is 0. */
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

static const uint64_t granted[] = {
	[LANDLOCK_READ] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	[LANDLOCK_WRITE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			   LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |
			   LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			   LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
			   LANDLOCK_ACCESS_FS_REFER,
	[LANDLOCK_LIST] = LANDLOCK_ACCESS_FS_READ_DIR,
	[LANDLOCK_DEVICE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV,
};

static uint64_t rights_of(unsigned abi)
{
	uint64_t rights = RIGHTS_1;

	if (abi >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return rights;
}

static size_t ruleset_size(unsigned abi)
{
	if (abi >= 6)
		return sizeof(struct ruleset);
	return abi >= 4 ? offsetof(struct ruleset, scoped)
			: offsetof(struct ruleset, handled_access_net);
}

unsigned landlock_version(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (unsigned)version;
}

enum ks_error landlock_init(struct landlock *landlock, struct landlock_leave leave)
{
	unsigned abi = landlock_version();
	struct ruleset ruleset = {0};

	*landlock = (struct landlock){.ruleset = -1};
	if (abi < 1)
		return KS_UNSUPPORTED;
	landlock->rights = rights_of(abi);
	ruleset.handled_access_fs = landlock->rights;
	if (abi >= 4 && !leave.tcp)
		ruleset.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6)
		ruleset.scoped = SCOPE_SIGNAL | (leave.abstract ? 0 : SCOPE_ABSTRACT_UNIX_SOCKET);
	landlock->ruleset =
		(int)syscall(SYS_landlock_create_ruleset, &ruleset, ruleset_size(abi), 0);
	if (landlock->ruleset < 0)
		return KS_UNSUPPORTED;
	landlock->abi = abi;
	return KS_OK;
}

/* What is at the descriptor, which is closed. */
static enum ks_error grant_opened(struct landlock *landlock, int fd, enum landlock_access access)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = granted[access], .parent_fd = fd};
	struct stat status;
	long result = -1;

	if (fd < 0)
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? KS_NO_MEMORY : KS_OK;
	if (fstat(fd, &status) == 0) {
		if (!S_ISDIR(status.st_mode))
			rule.allowed_access &= RIGHTS_OF_FILES;
		rule.allowed_access &= landlock->rights;
		if (rule.allowed_access == 0) { /* a file where a folder was meant */
			close(fd);
			return KS_OK;
		}
		result = syscall(SYS_landlock_add_rule, landlock->ruleset,
			LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	close(fd);
	return result == 0 ? KS_OK : KS_DEVICE_FAILED;
}

enum ks_error landlock_grant(
	struct landlock *landlock, const char *path, enum landlock_access access)
{
	return grant_opened(landlock, open(path, O_PATH | O_CLOEXEC), access);
}

/* A kernel with Landlock has openat2(). */
enum ks_error landlock_grant_exactly(
	struct landlock *landlock, const char *path, enum landlock_access access)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return grant_opened(landlock, fd, access);
}

enum ks_error landlock_enforce(struct landlock *landlock)
{
	long result = syscall(SYS_landlock_restrict_self, landlock->ruleset, 0);

	close(landlock->ruleset);
	landlock->ruleset = -1;
	return result == 0 ? KS_OK : KS_DEVICE_FAILED;
}
