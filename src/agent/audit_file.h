/*
 * The audit log as a file: lines are added whole or not at all, and when the file is full it
 * becomes the old one. Several agents of one person may write to it at the same time. Everything
 * here may block: it belongs on a thread of its own (audit_log.c).
 */
#ifndef AGENT_AUDIT_FILE_H
#define AGENT_AUDIT_FILE_H

#include <stddef.h>
#include <stdint.h>

struct audit_file {
	int folder; /* -1: not open */
	int fd;	    /* locked while it is open; -1: not open */
	uint64_t size;
};

/*
 * Opens the file in that folder, making what is missing of both. 0 or an errno: ELOOP for a
 * symbolic link in its place, EPERM for what is not a regular file of ours alone. Whatever it
 * returns, audit_file_close() is due.
 */
int audit_file_open(struct audit_file *file, const char *folder);
/* Adds a line, its end included, to a file of at most limit bytes. 0 or an errno. */
int audit_file_append(struct audit_file *file, const char *line, size_t len, uint64_t limit);
void audit_file_close(struct audit_file *file);

#endif
