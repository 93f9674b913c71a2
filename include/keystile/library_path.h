/*
 * Which files a backend may load as a library, as far as the file system tells. Loading one runs
 * it with the person's rights, so nobody but them and root may have been able to write it. Part
 * of every worker.
 */
#ifndef KEYSTILE_LIBRARY_PATH_H
#define KEYSTILE_LIBRARY_PATH_H

#include <sys/types.h>

#include <keystile/backend.h>

struct file_identity {
	dev_t device;
	ino_t inode;
};

/*
 * Resolves links and checks the file found; appends its canonical path. Relative names are
 * refused: a worker has no working directory that means anything to the person. May block for
 * as long as the file system does.
 */
KS_MUST_CHECK enum ks_error library_path_locate(
	struct ks_operation *operation, const char *path, struct buf *canonical);
/*
 * A regular file of root or the own user that neither group nor others can write, in folders
 * of root or the own user that others can't write or that are sticky; no symbolic link on the
 * way. KS_NOT_ALLOWED and words otherwise. identity says which file was looked at.
 */
KS_MUST_CHECK enum ks_error library_path_check(
	struct ks_operation *operation, const char *path, struct file_identity *identity);

#endif
