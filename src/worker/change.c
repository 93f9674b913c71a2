/*
 * unlink() and its kin for all that is loaded into a worker, to tell of what the confinement kept
 * from it, as open.c does, and under the same limits.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

/* What is changed is named; of two files the one that is to be made. */
static int told(int result, const char *path)
{
	int error = errno;

	/* EXDEV: Landlock's word for a file that may not leave its folder. */
	if (result == 0 || (error != EACCES && error != EXDEV))
		return result;
	if (path != NULL && path[0] == '/')
		report_denial(path, true);
	errno = error;
	return result;
}

union next {
	void *found;
	int (*one)(const char *path);
	int (*two)(const char *from, const char *to);
	int (*cut)(const char *path, off_t len);
	int (*make)(const char *path, mode_t mode);
	int (*make_device)(const char *path, mode_t mode, dev_t device);
	int (*link_at)(int from_folder, const char *from, int folder, const char *to, int flags);
	int (*unlink_at)(int folder, const char *path, int flags);
};

static union next next_of(const char *name)
{
	return (union next){.found = dlsym(RTLD_NEXT, name)};
}

int unlink(const char *path)
{
	return told(next_of("unlink").one(path), path);
}

int unlinkat(int folder, const char *path, int flags)
{
	return told(next_of("unlinkat").unlink_at(folder, path, flags), path);
}

int rmdir(const char *path)
{
	return told(next_of("rmdir").one(path), path);
}

int remove(const char *path)
{
	return told(next_of("remove").one(path), path);
}

int rename(const char *from, const char *to)
{
	return told(next_of("rename").two(from, to), to);
}

int link(const char *from, const char *to)
{
	return told(next_of("link").two(from, to), to);
}

int linkat(int from_folder, const char *from, int folder, const char *to, int flags)
{
	return told(next_of("linkat").link_at(from_folder, from, folder, to, flags), to);
}

int symlink(const char *from, const char *to)
{
	return told(next_of("symlink").two(from, to), to);
}

int truncate(const char *path, off_t len)
{
	return told(next_of("truncate").cut(path, len), path);
}

int mkdir(const char *path, mode_t mode)
{
	return told(next_of("mkdir").make(path, mode), path);
}

int mkfifo(const char *path, mode_t mode)
{
	return told(next_of("mkfifo").make(path, mode), path);
}

int mknod(const char *path, mode_t mode, dev_t device)
{
	return told(next_of("mknod").make_device(path, mode, device), path);
}
