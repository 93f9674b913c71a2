/*
 * Certificates that `ssh-add -C -s` gives along with a token (associated-certs-v00@openssh.com):
 * each that certifies a key of the token is offered as a key of its own.
 */
#ifndef AGENT_ASSOCIATED_H
#define AGENT_ASSOCIATED_H

#include <keystile/backend.h>

/* What there is for a token's keys; borrowed. What is no certificate is skipped. */
struct associated {
	const struct bytes *blobs;
	size_t count;
	bool only; /* keys themselves are not offered */
};

/*
 * The keys as they are to be offered, in ssh-agent's order: the certificates of each key with its
 * label and flags, then (unless only) the key. *out is an array for free(), whose
 * labels and blobs borrow from keys and associated. What certifies no key is skipped. At most max
 * keys come out.
 */
KS_MUST_CHECK enum ks_error associated_expand(const struct associated *associated,
	const struct ks_key *keys, size_t count, size_t max, struct ks_key **out,
	size_t *out_count);
/*
 * The blob under which the token knows a key: the plain key's, for a certificate. Appended to out.
 */
KS_MUST_CHECK enum ks_error associated_plain(struct bytes blob, struct buf *out);

#endif
