/*
 * One line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) taken apart, and the
 * matching of its names.
 */
#ifndef AGENT_KNOWN_HOSTS_LINE_H
#define AGENT_KNOWN_HOSTS_LINE_H

#include <keystile/buffer.h>

/* Longer lines are passed over. */
#define KNOWN_HOSTS_LINE_MAX ((size_t)64 * 1024)

enum known_hosts_marker {
	KNOWN_HOSTS_PLAIN,
	KNOWN_HOSTS_AUTHORITY, /* @cert-authority */
	KNOWN_HOSTS_REVOKED,   /* @revoked */
};

enum known_hosts_line_kind { KNOWN_HOSTS_EMPTY, KNOWN_HOSTS_ENTRY, KNOWN_HOSTS_MALFORMED };

struct known_hosts_line {
	enum known_hosts_marker marker;
	struct bytes patterns; /* as written; borrowed from the line */
	bool hashed;	       /* patterns is |1|salt|hash of one name, well formed */
	struct buf key;	       /* the blob; its content is replaced by each line */
};

/* text is a line without its newline. line->key is kept from line to line; buf_deinit() it. */
enum known_hosts_line_kind known_hosts_line_parse(struct bytes text, struct known_hosts_line *line);

/* Whether |1|salt|hash stands for the name, which is one as ssh looks it up: "[host]:port". */
bool known_hosts_hash_is_of(struct bytes hashed, struct bytes name);

#endif
