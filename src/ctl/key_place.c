/*
 * A file is made under another name beside the one it shall have, and renamed once it is on the
 * disk.
 */
#include "key_place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"

#define SUFFIX ".tpm"
#define PUBLIC_MAX ((size_t)64 << 10)

char *key_place_public(const char *path)
{
	size_t len = strlen(path);

	if (len > strlen(SUFFIX) && strcmp(path + len - strlen(SUFFIX), SUFFIX) == 0)
		len -= strlen(SUFFIX);
	return text_format("%.*s.pub", (int)len, path);
}

bool key_place_is_unused(const char *path)
{
	struct stat facts;

	if (lstat(path, &facts) != 0 && errno == ENOENT)
		return true;
	complain("%s is there already; --force replaces it", path);
	return false;
}

static char *folder_of(const char *path)
{
	AUTO(text) copy = strdup(path);

	return copy != NULL ? strdup(dirname(copy)) : NULL;
}

/* Before a PIN is typed, or a TPM makes an RSA key for a minute. */
static bool may_be_written(const char *path)
{
	AUTO(text) folder = folder_of(path);

	if (folder != NULL && access(folder, W_OK | X_OK) == 0)
		return true;
	complain(
		"%s can't be written: %s: %s", path, folder != NULL ? folder : "", strerror(errno));
	return false;
}

bool key_place_is_free(const char *path, bool force)
{
	AUTO(text) public = key_place_public(path);

	return public != NULL && key_place_is_free_for(path, force) &&
	       (force || key_place_is_unused(public));
}

bool key_place_is_free_for(const char *path, bool force)
{
	return may_be_written(path) && (force || key_place_is_unused(path));
}

/* Of "TYPE BASE64 COMMENT" without the last. */
static size_t key_length(const char *line)
{
	size_t type = strcspn(line, " \n");

	return line[type] == ' ' ? type + 1 + strcspn(line + type + 1, " \n") : type;
}

bool key_place_has(const char *public, const char *line)
{
	AUTO(buf) text = {0};
	size_t len = key_length(line);

	if (access(public, F_OK) != 0 || key_place_read(public, PUBLIC_MAX, &text) != KS_OK)
		return false;
	buf_put_u8(&text, '\0');
	return buf_status(&text) == KS_OK && key_length((const char *)text.data) == len &&
	       memcmp(text.data, line, len) == 0;
}

/* ---- Writing ---- */

static bool write_all(int fd, struct bytes content)
{
	while (content.len > 0) {
		ssize_t written = write(fd, content.data, content.len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		content = BYTES(content.data + written, content.len - (size_t)written);
	}
	return true;
}

/* The name is on the disk as well; where that can't be had the file is there all the same. */
static void sync_folder(const char *path)
{
	AUTO(text) name = folder_of(path);
	AUTO(fd) folder = name != NULL ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (folder >= 0)
		(void)fsync(folder);
}

/* link() does not replace anything, on any file system. */
static bool give_name(const char *made, const char *path, bool force)
{
	if (force)
		return rename(made, path) == 0;
	return link(made, path) == 0 && unlink(made) == 0;
}

/* What a new file of that mode would have. */
static mode_t masked(mode_t mode)
{
	const mode_t mask = umask(S_IRWXG | S_IRWXO);

	umask(mask);
	return mode & ~mask;
}

/* 0, or why not; what was begun is gone then. */
static int write_file(const char *path, struct bytes content, mode_t mode, bool force)
{
	AUTO(text) made = text_format("%s.XXXXXX", path);
	AUTO(fd) fd = made != NULL ? mkostemp(made, O_CLOEXEC) : -1;
	int trouble = 0;

	if (fd < 0)
		return errno;
	if (fchmod(fd, masked(mode)) != 0 || !write_all(fd, content) || fsync(fd) != 0 ||
		!give_name(made, path, force))
		trouble = errno;
	if (trouble == 0)
		sync_folder(path);
	else
		unlink(made);
	return trouble;
}

/* Ctrl-C waits until it is there or not. */
static int write_undisturbed(const char *path, struct bytes content, mode_t mode, bool force)
{
	sigset_t all, before;
	int trouble;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	trouble = write_file(path, content, mode, force);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return trouble;
}

enum ks_error key_place_write(const char *path, struct bytes content, mode_t mode, bool force)
{
	AUTO(text) real = force ? realpath(path, NULL) : NULL;
	const int trouble = write_undisturbed(real != NULL ? real : path, content, mode, force);

	if (trouble == 0)
		return KS_OK;
	if (trouble == EEXIST)
		complain("%s is there already; --force replaces it", path);
	else
		complain("%s can't be written: %s", path, strerror(trouble));
	return KS_NOT_ALLOWED;
}

/* ---- Reading ---- */

static enum ks_error read_all(const char *path, int fd, size_t max, struct buf *out)
{
	ssize_t got = 0;

	buf_init(out, max + 1);
	do {
		uint8_t *at = buf_reserve(out, max + 1 - out->len);

		if (at == NULL)
			return KS_NO_MEMORY;
		got = read(fd, at, max + 1 - out->len);
		if (got > 0)
			out->len += (size_t)got;
	} while (out->len <= max && (got > 0 || (got < 0 && errno == EINTR)));
	if (got == 0)
		return KS_OK;
	if (got < 0)
		complain("%s can't be read: %s", path, strerror(errno));
	else
		complain("%s is too long for what it should be", path);
	return KS_BAD_INPUT;
}

/* Without O_NONBLOCK a named pipe would be waited for. */
static enum ks_error open_and_read(const char *path, size_t max, bool private, struct buf *out)
{
	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat facts;

	if (fd < 0 || fstat(fd, &facts) != 0) {
		complain("%s can't be opened: %s", path, strerror(errno));
		return KS_NO_KEY;
	}
	if (!S_ISREG(facts.st_mode)) {
		complain("%s is no regular file", path);
		return KS_BAD_INPUT;
	}
	if (private && facts.st_uid != geteuid() && facts.st_uid != 0) {
		complain("%s belongs to somebody else", path);
		return KS_NOT_ALLOWED;
	}
	if (private && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		complain("%s may be read or written by others; chmod 600 it", path);
		return KS_NOT_ALLOWED;
	}
	return read_all(path, fd, max, out);
}

enum ks_error key_place_read(const char *path, size_t max, struct buf *out)
{
	return open_and_read(path, max, false, out);
}

enum ks_error key_place_read_private(const char *path, size_t max, struct buf *out)
{
	return open_and_read(path, max, true, out);
}
