/*
 * session-bind@openssh.com (OpenSSH PROTOCOL.agent, CONFORMANCE): the records that say through
 * which SSH sessions a connection goes. Each is proven by the host's signature over the
 * session id; the flag that says "forwarding" is not covered by it.
 */
#ifndef AGENT_SESSION_BIND_H
#define AGENT_SESSION_BIND_H

#include <stdbool.h>

#include <keystile/buffer.h>
#include <keystile/public_key.h>

#define SESSION_BINDS_MAX 16 /* records of a connection; a duplicate still succeeds */
#define SESSION_ID_MAX 128   /* bytes */
/* Bytes of all host keys of a connection: certificates may be as long as a message. */
#define SESSION_BIND_BYTES_MAX ((size_t)128 * 1024)
#define SESSION_BIND_FAILURES                                                                      \
	16 /* after that many a connection's binds are not verified any more */

struct session_bind {
	struct buf host_key; /* blob as it was sent, perhaps a certificate */
	struct buf session_id;
	bool forwarding;
	bool certified; /* the host key is a certificate */
	/* Then it, parsed; NULL where its authority signed with SHA-1. */
	struct public_key *certificate;
};

/* The records of one connection. Zeroed is empty. */
struct session_binds {
	struct session_bind records[SESSION_BINDS_MAX];
	size_t count;
	bool attempted; /* any bind was tried, even a failed one */
	unsigned failures;
};

enum session_bind_result {
	SESSION_BIND_DONE,	   /* recorded, or a repeat of what is recorded */
	SESSION_BIND_REFUSED,	   /* a rule says no, or the signature is wrong */
	SESSION_BIND_UNVERIFIABLE, /* malformed, or a host key that can't be verified here */
};

/*
 * Takes the body of the extension, after its name. *forwarding says whether the message's
 * flag was set, as far as it could be read. Everything but DONE is answered 28 and makes the
 * connection remote; the connection stays open.
 */
enum session_bind_result session_bind_add(
	struct session_binds *binds, struct bytes message, bool *forwarding);
void session_binds_deinit(struct session_binds *binds);
/* The newest record, or NULL. */
const struct session_bind *session_binds_last(const struct session_binds *binds);

#endif
