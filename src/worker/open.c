/*
 * open() and its kin for all that is loaded into a worker. Landlock refuses without a word to
 * anybody, so each that fails is looked at: a file that only the confinement keeps closed is told
 * to the agent, which shows it to the person. Nothing depends on it: code that opens files by other
 * means is refused all the same, in silence. What succeeds costs nothing more.
 */
#undef _FORTIFY_SOURCE /* its inline functions of these names */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <keystile/log.h>

#include "report.h"

/* What is compiled with checks of its own calls these names. */
int open_checked(const char *path, int flags) __asm__("__open_2");
int open64_checked(const char *path, int flags) __asm__("__open64_2");

/* Modes and owners allow it, which is all that access() goes by. One that is to be made is not
 * there. */
static bool only_we_refuse(const char *path, bool writes)
{
	return access(path, writes ? W_OK : R_OK) == 0 || (writes && errno == ENOENT);
}

/* Said once; to be refused more of them is no reason for more lines. */
static void say_limit(void)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&said))
		log_warning("code in this process wanted more descriptors than it may have");
	errno = EMFILE;
}

static void look_at(const char *path, bool writes)
{
	if (errno == EMFILE)
		say_limit();
	if (errno != EACCES)
		return;
	if (path != NULL && path[0] == '/' && only_we_refuse(path, writes))
		report_denial(path, writes);
	errno = EACCES;
}

/* The next function of that name is the C library's, or that of a library that was preloaded. */
union next {
	void *found;
	int (*open)(const char *path, int flags, ...);
	int (*openat)(int folder, const char *path, int flags, ...);
	int (*checked)(const char *path, int flags);
	FILE *(*fopen)(const char *path, const char *mode);
	DIR *(*opendir)(const char *path);
};

static union next next_of(const char *name)
{
	return (union next){.found = dlsym(RTLD_NEXT, name)};
}

static int looked_at(int fd, const char *path, int flags)
{
	if (fd < 0)
		look_at(path, (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0);
	return fd;
}

/* The one that comes after the last one named, where the flags say that there is one. */
#define MODE_AFTER(flags, mode)                                                                    \
	do {                                                                                       \
		va_list rest;                                                                      \
		va_start(rest, flags);                                                             \
		if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE)                    \
			(mode) = va_arg(rest, mode_t);                                             \
		va_end(rest);                                                                      \
	} while (0)

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_AFTER(flags, mode);
	return looked_at(next_of("open").open(path, flags, mode), path, flags);
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_AFTER(flags, mode);
	return looked_at(next_of("open64").open(path, flags, mode), path, flags);
}

int openat(int folder, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_AFTER(flags, mode);
	return looked_at(next_of("openat").openat(folder, path, flags, mode), path, flags);
}

int openat64(int folder, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_AFTER(flags, mode);
	return looked_at(next_of("openat64").openat(folder, path, flags, mode), path, flags);
}

int open_checked(const char *path, int flags)
{
	return looked_at(next_of("__open_2").checked(path, flags), path, flags);
}

int open64_checked(const char *path, int flags)
{
	return looked_at(next_of("__open64_2").checked(path, flags), path, flags);
}

static FILE *open_stream(const char *name, const char *path, const char *mode)
{
	FILE *stream = next_of(name).fopen(path, mode);

	if (stream == NULL)
		look_at(path, strpbrk(mode, "wa+") != NULL);
	return stream;
}

FILE *fopen(const char *path, const char *mode)
{
	return open_stream("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return open_stream("fopen64", path, mode);
}

DIR *opendir(const char *path)
{
	DIR *folder = next_of("opendir").opendir(path);

	if (folder == NULL)
		look_at(path, false);
	return folder;
}
