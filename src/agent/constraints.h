/*
 * What a client says of a key or token that it adds (RFC 9987 section 3.2.7, OpenSSH
 * PROTOCOL.agent): how long it stays, whether to ask, from where to where it may be used. Parsed
 * whole, counted, and shared by all the keys of one message: thousands of keys may have the same.
 */
#ifndef AGENT_CONSTRAINTS_H
#define AGENT_CONSTRAINTS_H

#include <stdbool.h>
#include <stdint.h>

#include <keystile/buffer.h>

#define CONSTRAINTS_DESTINATIONS_MAX 1024 /* hop pairs; one more is refused */
#define CONSTRAINTS_CERTIFICATES_MAX 1024
#define CONSTRAINTS_USER_MAX 256	   /* bytes of a user pattern */
#define CONSTRAINTS_SK_INTERNAL "internal" /* the sk-provider that is no middleware */

struct destination_key {
	struct buf blob;
	bool ca; /* a host certificate's signing key, else the host's own */
};

/* One end of a hop. */
struct destination_host {
	char *user; /* pattern; NULL: any. Only ever in "to" */
	char *name; /* NULL: the origin, only ever in "from", and then without keys */
	struct destination_key *keys;
	size_t key_count;
};

struct destination {
	struct destination_host from;
	struct destination_host to;
};

struct constraints {
	unsigned references;
	bool has_lifetime;
	uint32_t lifetime_s;
	bool confirm;
	char *sk_provider; /* a path, or CONSTRAINTS_SK_INTERNAL; NULL: none given */
	struct destination *destinations;
	size_t destination_count; /* 0: may be used everywhere */
	/* associated-certs-v00@openssh.com, for tokens */
	bool certificates_only;
	struct buf *certificates; /* blobs that public_key_parse() takes, perhaps of plain keys */
	size_t certificate_count;
};

/* FROM_AFAR: what ssh says for AddKeysToAgent. Destinations cost time and room, and it has none. */
enum constraints_for {
	CONSTRAINTS_FOR_KEY,
	CONSTRAINTS_FOR_SECURITY_KEY,
	CONSTRAINTS_FOR_TOKEN,
	CONSTRAINTS_FOR_KEY_FROM_AFAR,
	CONSTRAINTS_FOR_SECURITY_KEY_FROM_AFAR,
};

/*
 * Reads constraints up to the end. An unknown one, one given twice and one that does not fit what
 * is added is an error, logged by its name. *out has one reference, also where no constraint was
 * given; NULL after an error.
 */
KS_MUST_CHECK enum ks_error constraints_parse(
	struct reader *reader, enum constraints_for what, struct constraints **out);
struct constraints *constraints_reference(struct constraints *constraints);
void constraints_release(struct constraints **constraints); /* clears the pointer; NULL is fine */
/* Both permit the same hops, written the same way. */
bool constraints_same_destinations(const struct constraints *a, const struct constraints *b);

#endif
