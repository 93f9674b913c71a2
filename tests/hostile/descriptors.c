/*
 * Files by descriptors that may only be read or only name them, and what is made in a folder that
 * may be written so that it serves somebody else later.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define SYSCALL_SETXATTRAT 463
#define SYSCALL_FILE_GETATTR 468
#define SYSCALL_FILE_SETATTR 469
#define PAGE 4096

/* True: the call on a descriptor that only reads worked. */
static bool by_reading(bool (*works)(int fd))
{
	int fd = open(hostile_readable, O_RDONLY | O_CLOEXEC);
	bool worked = fd >= 0 && works(fd);
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return worked;
}

/* All of it is as it is, as this must do no harm where nothing keeps it. */
static bool change_mode(int fd)
{
	struct stat facts;

	return fstat(fd, &facts) == 0 && fchmod(fd, facts.st_mode & 07777) == 0;
}

static bool change_owner(int fd)
{
	return fchown(fd, (uid_t)-1, (gid_t)-1) == 0;
}

static bool change_times(int fd)
{
	return syscall(SYS_utimensat, fd, NULL, NULL, 0) == 0;
}

static bool set_attribute(int fd)
{
	return fsetxattr(fd, "user.keystile", "x", 1, 0) == 0;
}

static bool remove_attribute(int fd)
{
	return fremovexattr(fd, "user.keystile") == 0 || errno == ENODATA;
}

static bool set_attribute_by_newer_call(int fd)
{
	struct {
		unsigned long long value;
		unsigned size;
		unsigned flags;
	} arguments = {(unsigned long long)(size_t) "x", 1, 0};

	return syscall(SYSCALL_SETXATTRAT, fd, "", AT_EMPTY_PATH, "user.keystile", &arguments,
		       sizeof(arguments)) == 0;
}

static bool set_flags(int fd)
{
	int flags = 0;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static bool set_flags_by_newer_call(int fd)
{
	unsigned char attributes[24];

	return syscall(SYSCALL_FILE_GETATTR, fd, "", attributes, sizeof(attributes),
		       AT_EMPTY_PATH) == 0 &&
	       syscall(SYSCALL_FILE_SETATTR, fd, "", attributes, sizeof(attributes),
		       AT_EMPTY_PATH) == 0;
}

/* EFAULT: it may, but for what it names. */
static bool seal(int fd)
{
	return ioctl(fd, FS_IOC_ENABLE_VERITY, NULL) == 0 || errno == EFAULT;
}

static bool take_lease(int fd)
{
	return fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
}

static bool cut(int fd)
{
	return ftruncate(fd, 0) == 0;
}

static bool map_to_write(int fd)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
}

static bool open_again_to_write(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC) >= 0;
}

static bool changes_mode(void)
{
	return by_reading(change_mode);
}

static bool changes_owner(void)
{
	return by_reading(change_owner);
}

static bool changes_times(void)
{
	return by_reading(change_times);
}

static bool sets_attribute(void)
{
	return by_reading(set_attribute);
}

static bool removes_attribute(void)
{
	return by_reading(remove_attribute);
}

static bool sets_attribute_by_newer_call(void)
{
	return by_reading(set_attribute_by_newer_call);
}

static bool sets_flags(void)
{
	return by_reading(set_flags);
}

static bool sets_flags_by_newer_call(void)
{
	return by_reading(set_flags_by_newer_call);
}

static bool seals(void)
{
	return by_reading(seal);
}

static bool takes_lease(void)
{
	return by_reading(take_lease);
}

static bool cuts(void)
{
	return by_reading(cut);
}

static bool maps_to_write(void)
{
	return by_reading(map_to_write);
}

static bool opens_again_to_write(void)
{
	return by_reading(open_again_to_write);
}

/* ---- Descriptors that only name a file ---- */

static bool reads_by_place(void)
{
	char path[64];
	int fd = open(hostile_secret, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC) >= 0 || openat(fd, "", O_RDONLY) >= 0;
}

static bool executes_by_place(void)
{
	char name[] = "true";
	char *const arguments[] = {name, NULL};
	int fd = open("/bin/true", O_PATH | O_CLOEXEC);

	return fd >= 0 && syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH) == 0;
}

static bool links_by_place(void)
{
	char path[256];
	int fd = open(hostile_secret, O_PATH | O_CLOEXEC);

	snprintf(path, sizeof(path), "%s/by-place", hostile_state);
	return fd >= 0 && linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0;
}

static bool touches_secret(void)
{
	return syscall(SYS_utimensat, AT_FDCWD, hostile_secret, NULL, 0) == 0;
}

static bool watches_folder(void)
{
	int fd = open(hostile_state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fcntl(fd, F_NOTIFY, DN_MODIFY) == 0;
}

/* ---- What it leaves in a folder that is its own ---- */

/* A name in that folder. */
static const char *left(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", hostile_state, name);
	return path;
}

static bool is_set_id(int fd)
{
	struct stat facts;

	return fd >= 0 && fstat(fd, &facts) == 0 && (facts.st_mode & (S_ISUID | S_ISGID)) != 0;
}

static bool makes_set_id_program(void)
{
	umask(0);
	return is_set_id(open(left("set-id"), O_WRONLY | O_CREAT | O_CLOEXEC, 06755)) ||
	       is_set_id(creat(left("set-id-too"), 04755));
}

static bool makes_set_id_program_by_newer_call(void)
{
	const unsigned long long how[3] = {O_WRONLY | O_CREAT | O_CLOEXEC, 04755, 0};

	return is_set_id(
		(int)syscall(SYS_openat2, AT_FDCWD, left("set-id-newer"), how, sizeof(how)));
}

static bool leaves_symbolic_link(void)
{
	return symlink(hostile_secret, left("symbolic")) == 0;
}

static bool leaves_hard_link(void)
{
	return link(hostile_secret, left("hard")) == 0;
}

static bool moves_secret_there(void)
{
	return rename(hostile_secret, left("moved")) == 0;
}

static bool leaves_pipe(void)
{
	return mkfifo(left("pipe"), 0600) == 0;
}

static bool leaves_device(void)
{
	return mknod(left("device"), S_IFCHR | 0600, 0) == 0;
}

static bool moves_its_folder(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s-moved", hostile_state);
	return rename(hostile_state, path) == 0;
}

const struct attempt attempts_by_descriptor[] = {
	{"change a mode by a descriptor", changes_mode},
	{"change an owner by a descriptor", changes_owner},
	{"change times by a descriptor", changes_times},
	{"set an attribute by a descriptor", sets_attribute},
	{"set an attribute by the newer call", sets_attribute_by_newer_call},
	{"remove an attribute by a descriptor", removes_attribute},
	{"set flags of a file", sets_flags},
	{"set flags of a file by the newer call", sets_flags_by_newer_call},
	{"seal a file", seals},
	{"keep others from a file", takes_lease},
	{"cut a file by a descriptor", cuts},
	{"map a file to write", maps_to_write},
	{"open a file again to write", opens_again_to_write},
	{"read a secret by its place", reads_by_place},
	{"exec by a place", executes_by_place},
	{"link a secret by its place", links_by_place},
	{"change the times of a secret by the newer call", touches_secret},
	{"watch a folder", watches_folder},
	{"make a set-id program", makes_set_id_program},
	{"make a set-id program by the newer call", makes_set_id_program_by_newer_call},
	{"leave a symbolic link", leaves_symbolic_link},
	{"leave a hard link", leaves_hard_link},
	{"move a secret to its folder", moves_secret_there},
	{"leave a pipe", leaves_pipe},
	{"leave a device", leaves_device},
	{"move its folder", moves_its_folder},
	{NULL, NULL},
};
