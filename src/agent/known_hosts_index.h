/*
 * The entries of one known_hosts file, found by the host's key. It is built from bytes as they are
 * read, in any pieces, on a thread of its own; then it never changes.
 */
#ifndef AGENT_KNOWN_HOSTS_INDEX_H
#define AGENT_KNOWN_HOSTS_INDEX_H

#include <keystile/buffer.h>

#include "known_hosts_line.h"

/* What lies beyond is not read; status says so. */
#define KNOWN_HOSTS_FILE_MAX ((size_t)64 << 20)
#define KNOWN_HOSTS_LINES_MAX 200000
/* Entries of one key that are looked at. */
#define KNOWN_HOSTS_FOUND_MAX 1000

struct known_hosts_index;

struct known_hosts_entry {
	enum known_hosts_marker marker;
	bool hashed;
	const char *patterns; /* as written; borrowed from the index */
};

struct known_hosts_count {
	size_t entries;
	size_t malformed; /* lines that were passed over */
	bool cut;	  /* there is more than a limit above lets in */
};

struct known_hosts_index *known_hosts_index_new(void);	       /* NULL: out of memory */
void known_hosts_index_free(struct known_hosts_index **index); /* clears the pointer */

/* False when nothing more is taken: a limit is reached. */
bool known_hosts_index_feed(struct known_hosts_index *index, struct bytes piece);
/* After the last piece, before the first question. KS_NO_MEMORY: it is of no use. */
KS_MUST_CHECK enum ks_error known_hosts_index_end(struct known_hosts_index *index);

/*
 * Calls found for each entry that has this key, @revoked ones first, then in the order of the file.
 * No I/O; the time is logarithmic in the file's size.
 */
void known_hosts_index_find(const struct known_hosts_index *index, struct bytes key,
	void (*found)(const struct known_hosts_entry *entry, void *context), void *context);
struct known_hosts_count known_hosts_index_count(const struct known_hosts_index *index);

#endif
