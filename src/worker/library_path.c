/*
 * Resolves and checks the path of a library before it is loaded, with words that say what is
 * wrong and how to mend it.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include <keystile/cleanup.h>
#include <keystile/library_path.h>
#include <keystile/log.h>
#include <keystile/text.h>

static enum ks_error not_allowed(
	struct ks_operation *operation, const char *path, const char *what, const char *mend)
{
	char quoted[TEXT_QUOTED_MAX];

	text_quote(bytes_of(path), quoted);
	log_warning("library not allowed: %s %s", quoted, what);
	ks_explain(operation, "%s %s; %s", quoted, what, mend);
	return KS_NOT_ALLOWED;
}

static enum ks_error unreadable(struct ks_operation *operation, const char *path, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return not_allowed(operation, path, "is not there", "check the path");
	return not_allowed(operation, path, strerror(error), "check the path and its permissions");
}

static bool owner_trusted(const struct stat *status)
{
	return status->st_uid == 0 || status->st_uid == geteuid();
}

static enum ks_error check_folder(struct ks_operation *operation, const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		return unreadable(operation, path, errno);
	if (!S_ISDIR(status.st_mode))
		return not_allowed(operation, path, "is not a folder", "name the library itself");
	if (!owner_trusted(&status))
		return not_allowed(operation, path, "belongs to another user",
			"use a library in a folder of root's or of your own");
	if ((status.st_mode & S_IWOTH) && !(status.st_mode & S_ISVTX))
		return not_allowed(
			operation, path, "can be written by everybody", "chmod o-w mends that");
	return KS_OK;
}

static enum ks_error check_file(
	struct ks_operation *operation, const char *path, struct file_identity *identity)
{
	struct stat status;

	if (lstat(path, &status))
		return unreadable(operation, path, errno);
	if (!S_ISREG(status.st_mode))
		return not_allowed(
			operation, path, "is not a regular file", "name the library's file");
	if (!owner_trusted(&status))
		return not_allowed(operation, path, "belongs to another user",
			"it must be root's or your own");
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return not_allowed(operation, path, "can be written by others than its owner",
			"chmod go-w mends that");
	*identity = (struct file_identity){.device = status.st_dev, .inode = status.st_ino};
	return KS_OK;
}

enum ks_error library_path_check(
	struct ks_operation *operation, const char *path, struct file_identity *identity)
{
	char folder[PATH_MAX];
	size_t len = strlen(path);

	if (path[0] != '/' || len >= sizeof(folder))
		return not_allowed(operation, path, "is not an absolute path", "give the full one");
	for (size_t i = 0; i < len; i++) {
		enum ks_error error;

		if (path[i] != '/')
			continue;
		memcpy(folder, path, i + 1);
		folder[i ? i : 1] = '\0';
		error = check_folder(operation, folder);
		if (error != KS_OK)
			return error;
	}
	return check_file(operation, path, identity);
}

enum ks_error library_path_locate(
	struct ks_operation *operation, const char *path, struct buf *canonical)
{
	AUTO(text)
	resolved = NULL;
	struct file_identity identity;
	enum ks_error error;

	if (path[0] != '/')
		return not_allowed(
			operation, path, "is not an absolute path", "give the library's full path");
	resolved = realpath(path, NULL);
	if (!resolved)
		return unreadable(operation, path, errno);
	error = library_path_check(operation, resolved, &identity);
	if (error != KS_OK)
		return error;
	buf_put(canonical, bytes_of(resolved));
	return buf_status(canonical);
}
