/*
 * One look at the files with OpenSSH certificates (id_card-cert.pub and the like) that patterns
 * mean. Runs on a thread, as the files may lie on a file system that hangs: nothing of it touches
 * what the event loop owns.
 */
#ifndef AGENT_CERTIFICATES_LOOK_H
#define AGENT_CERTIFICATES_LOOK_H

#include <keystile/public_key.h>

#define CERTIFICATE_FILES_MAX 64

/* A file; without a key trouble says what is wrong with it. */
struct certificate_file {
	char *path;
	struct buf blob;
	struct public_key *key;
	const char *trouble; /* static words, NULL: none */
};

struct certificate_files {
	struct certificate_file *all;
	size_t count;
	bool more; /* than were read */
};

/*
 * patterns are absolute paths, ended by NULL, with "*" and "?" in the last part; the folder of each
 * is watched with this descriptor of inotify (or -1) before it is read. Folders and files that are
 * not there are none. *out is the caller's.
 */
void certificates_look(char *const *patterns, int inotify, struct certificate_files *out);
void certificate_files_deinit(struct certificate_files *files);
/* The same files with the same in them. */
bool certificate_files_same(
	const struct certificate_files *one, const struct certificate_files *other);

#endif
