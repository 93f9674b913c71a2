/*
 * What known_hosts files say of a host that proved its key: its names, or why it has none. A name
 * is a pattern as it stands in the file, in lower case, [host]:port as host:port; for a host
 * certificate it is a principal that the authority's entry covers.
 */
#ifndef AGENT_HOST_NAMES_H
#define AGENT_HOST_NAMES_H

#include "known_hosts_index.h"
#include "session_bind.h"

#define HOST_NAMES_MAX 64
#define HOST_NAME_LEN_MAX 1023 /* longer ones are passed over, as ssh does */

/* Zeroed says nothing of any host. */
struct host_names {
	char **names; /* ended by NULL; NULL when there are none */
	size_t count;
	const char *guess; /* of the candidates, that a hash was of; borrowed from there */
	bool more;	   /* than HOST_NAMES_MAX */
	bool by_authority; /* all names are those that an authority certified */
	bool hashed;	   /* an entry is there whose name only its hash is known of */
	bool revoked;	   /* the host's key, or the authority that certified it */
	bool unread;	   /* a file could not be read: what is not here may stand there */
	bool failed;	   /* out of memory: of no use */
};

/*
 * Adds what one file says. candidates, ended by NULL, are names that a hashed one may stand for;
 * NULL for none. now: seconds since 1970.
 */
void host_names_add(struct host_names *names, const struct known_hosts_index *index,
	const struct session_bind *bind, const char *const *candidates, uint64_t now);
void host_names_deinit(struct host_names *names);

#endif
