/*
 * See audit_file.h. A lock on the file keeps two agents from cutting each other's lines and from
 * taking turns at renaming; it is held for a few writes only.
 */
#include "audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <keystile/audit.h>
#include <keystile/cleanup.h>

#define LOCK_TRIES 50
#define LOCK_PAUSE_NS (20L * 1000 * 1000)
/* How often another agent may rename the file under our hands. */
#define OPEN_TRIES 8

/* ---- Its folder ---- */

/* As mkdir -p, with the mode that the XDG specification gives to folders that are missing. */
static int make_folders(const char *path)
{
	AUTO(text) copy = strdup(path);

	if (copy == NULL)
		return ENOMEM;
	for (char *at = copy + 1; (at = strchr(at, '/')) != NULL; *at++ = '/') {
		*at = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			return errno;
	}
	return mkdir(copy, 0700) != 0 && errno != EEXIST ? errno : 0;
}

static int open_folder(struct audit_file *file, const char *path)
{
	static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat facts;
	int trouble = 0;

	file->folder = open(path, flags);
	if (file->folder < 0 && errno == ENOENT) {
		trouble = make_folders(path);
		file->folder = trouble == 0 ? open(path, flags) : -1;
	}
	if (file->folder < 0)
		return trouble != 0 ? trouble : errno;
	if (fstat(file->folder, &facts) != 0)
		return errno;
	if (facts.st_uid != geteuid())
		return EPERM;
	if ((facts.st_mode & 077) != 0 && fchmod(file->folder, 0700) != 0)
		return errno;
	return 0;
}

/* ---- The file ---- */

static int check_file(const struct audit_file *file, struct stat *facts)
{
	if (fstat(file->fd, facts) != 0)
		return errno;
	if (!S_ISREG(facts->st_mode) || facts->st_uid != geteuid() || facts->st_nlink > 1)
		return EPERM;
	if ((facts->st_mode & 077) != 0 && fchmod(file->fd, 0600) != 0)
		return errno;
	return 0;
}

/* Who holds it for longer than a moment must not stop us for good. */
static int lock_file(int fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		/* A file system without locks: then there is none. */
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
	}
	return EWOULDBLOCK;
}

/* A line that was cut off, by a crash of the machine, must not spoil the next one. */
static int end_last_line(struct audit_file *file)
{
	char last = '\n';

	if (file->size == 0 || pread(file->fd, &last, 1, (off_t)file->size - 1) != 1 ||
		last == '\n')
		return 0;
	if (write(file->fd, "\n", 1) != 1)
		return errno;
	file->size++;
	return 0;
}

static void close_file(struct audit_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* EAGAIN: it was renamed meanwhile. */
static int try_open(struct audit_file *file)
{
	struct stat facts;
	struct stat named;
	int trouble;

	file->fd = openat(file->folder, AUDIT_FILE,
		O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (file->fd < 0)
		return errno;
	trouble = check_file(file, &facts);
	if (trouble == 0)
		trouble = lock_file(file->fd);
	if (trouble != 0)
		return trouble;
	if (fstatat(file->folder, AUDIT_FILE, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
		named.st_ino != facts.st_ino || named.st_dev != facts.st_dev)
		return EAGAIN;
	/* It may have grown while we waited. */
	if (fstat(file->fd, &facts) != 0)
		return errno;
	file->size = (uint64_t)facts.st_size;
	return end_last_line(file);
}

static int open_file(struct audit_file *file)
{
	int trouble = EAGAIN;

	for (int i = 0; i < OPEN_TRIES && trouble == EAGAIN; i++) {
		close_file(file);
		trouble = try_open(file);
	}
	if (trouble != 0)
		close_file(file);
	return trouble;
}

int audit_file_open(struct audit_file *file, const char *folder)
{
	int trouble;

	*file = (struct audit_file){.folder = -1, .fd = -1};
	trouble = open_folder(file, folder);
	return trouble != 0 ? trouble : open_file(file);
}

static int rotate(struct audit_file *file)
{
	if (renameat(file->folder, AUDIT_FILE, file->folder, AUDIT_FILE_OLD) != 0)
		return errno;
	return open_file(file);
}

int audit_file_append(struct audit_file *file, const char *line, size_t len, uint64_t limit)
{
	int trouble = file->fd >= 0 ? 0 : EBADF;
	ssize_t written;

	if (trouble == 0 && file->size > 0 && file->size + len > limit)
		trouble = rotate(file);
	if (trouble != 0)
		return trouble;
	written = write(file->fd, line, len);
	if (written == (ssize_t)len) {
		file->size += len;
		return 0;
	}
	trouble = written < 0 ? errno : ENOSPC;
	/* What can't be taken back is ended by the next one (end_last_line). */
	if (written > 0 && ftruncate(file->fd, (off_t)file->size) != 0)
		close_file(file);
	return trouble;
}

void audit_file_close(struct audit_file *file)
{
	close_file(file);
	if (file->folder >= 0)
		close(file->folder);
	*file = (struct audit_file){.folder = -1, .fd = -1};
}
