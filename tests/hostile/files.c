/*
 * Files: those of the person, of the system and of other processes, and what only looks like one.
 */
#include "hostile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The one that is allowed, so that the others' failures mean something. */
static bool reads_its_library(void)
{
	return opens("/usr/lib/os-release", O_RDONLY);
}

static bool reads_secret(void)
{
	return opens(hostile_secret, O_RDONLY);
}

static bool writes_secret(void)
{
	return opens(hostile_secret, O_WRONLY);
}

static bool cuts_secret(void)
{
	return truncate(hostile_secret, 0) == 0;
}

static bool removes_secret(void)
{
	return unlink(hostile_secret) == 0;
}

static bool moves_secret(void)
{
	return rename(hostile_secret, "/tmp/keystile-hostile-moved") == 0;
}

static bool watches_secret(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	return fd >= 0 && inotify_add_watch(fd, hostile_secret, IN_ALL_EVENTS) >= 0;
}

static bool watches_everything(void)
{
	return fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY) >= 0;
}

static bool reads_shadow(void)
{
	return opens("/etc/shadow", O_RDONLY);
}

static bool makes_file_in_tmp(void)
{
	return opens("/tmp/keystile-hostile", O_WRONLY | O_CREAT);
}

static bool makes_file_in_shm(void)
{
	return opens("/dev/shm/keystile-hostile", O_WRONLY | O_CREAT);
}

static bool makes_unnamed_file(void)
{
	return opens("/tmp", O_RDWR | O_TMPFILE);
}

static bool makes_device(void)
{
	return mknod("/tmp/keystile-hostile-device", S_IFCHR | 0600, 0) == 0;
}

static bool lists_root(void)
{
	return opens("/", O_RDONLY | O_DIRECTORY);
}

static bool reads_other_environment(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)hostile_victim);
	return opens(path, O_RDONLY);
}

static bool opens_memory_of_agent(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	return opens(path, O_RDWR);
}

static bool reads_own_memory_file(void)
{
	return opens("/proc/self/mem", O_RDWR);
}

static bool saves_itself(void)
{
	return opens("/proc/self/oom_score_adj", O_WRONLY);
}

static bool changes_mode(void)
{
	return chmod(hostile_secret, 0644) == 0;
}

static bool touches_times(void)
{
#ifdef SYS_utimes
	return syscall(SYS_utimes, hostile_secret, NULL) == 0;
#else
	return false;
#endif
}

static bool makes_link(void)
{
	return symlink(hostile_secret, "/tmp/keystile-hostile-link") == 0;
}

static bool links_secret(void)
{
	return link(hostile_secret, "/tmp/keystile-hostile-hard") == 0;
}

static bool changes_root(void)
{
	return chroot("/tmp") == 0;
}

static bool mounts(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool opens_by_handle(void)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} named = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount_id;

	return name_to_handle_at(AT_FDCWD, hostile_secret, &named.handle, &mount_id, 0) == 0;
}

static bool opens_terminal(void)
{
	return opens("/dev/tty", O_RDWR);
}

static bool types_for_the_person(void)
{
	char key = '\n';

	for (int fd = 0; fd < 16; fd++)
		if (ioctl(fd, TIOCSTI, &key) == 0)
			return true;
	return false;
}

const struct attempt attempts_on_files[] = {
	{"read what a module needs", reads_its_library},
	{"read a secret", reads_secret},
	{"write a secret", writes_secret},
	{"cut a secret", cuts_secret},
	{"change the mode of a secret", changes_mode},
	{"change the times of a secret", touches_times},
	{"watch a secret", watches_secret},
	{"watch everything", watches_everything},
	{"make a symbolic link", makes_link},
	{"make a hard link", links_secret},
	{"move a secret", moves_secret},
	{"remove a secret", removes_secret},
	{"read /etc/shadow", reads_shadow},
	{"make a file in /tmp", makes_file_in_tmp},
	{"make a file without a name", makes_unnamed_file},
	{"make a file in /dev/shm", makes_file_in_shm},
	{"make a device", makes_device},
	{"list /", lists_root},
	{"read the environment of another process", reads_other_environment},
	{"open the agent's memory as a file", opens_memory_of_agent},
	{"open its own memory as a file", reads_own_memory_file},
	{"be spared when memory runs out", saves_itself},
	{"change its root", changes_root},
	{"mount", mounts},
	{"open a file by its handle", opens_by_handle},
	{"open the terminal", opens_terminal},
	{"type for the person", types_for_the_person},
	{NULL, NULL},
};
