/*
 * What is being signed, parsed once into facts: a login (RFC 4252 section 7), an SSHSIG
 * (OpenSSH PROTOCOL.sshsig), a certificate body, or data that is none of these and could be
 * anything, a TLS or Kerberos login among them.
 */
#ifndef AGENT_SUBJECT_H
#define AGENT_SUBJECT_H

#include <stdbool.h>

#include <keystile/buffer.h>
#include <keystile/public_key.h>

enum subject_kind {
	SUBJECT_UNRECOGNISED = 0,
	SUBJECT_LOGIN,
	SUBJECT_SSHSIG,
	SUBJECT_CERTIFICATE,
};

/* Borrows from the data it was parsed from. */
struct subject {
	enum subject_kind kind;
	/* login */
	struct bytes session_id;
	struct bytes user;     /* holds no NUL, behind which it could go on unseen */
	struct bytes host_key; /* empty unless hostbound */
	bool hostbound;
	bool by_certificate; /* of the key, which was not added itself: ssh's CertificateFile */
	/* sshsig */
	struct bytes sign_namespace; /* holds no NUL either */
	struct bytes hash_name;
};

/* Never fails: what does not parse to the last byte is unrecognised. key is the one asked to sign.
 */
void subject_parse(struct bytes data, struct bytes key_blob, const struct public_key *key,
	struct subject *subject);

#endif
