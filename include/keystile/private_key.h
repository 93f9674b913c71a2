/*
 * Private keys as clients hand them over in messages 17 and 25 (RFC 9987 section 3.2, OpenSSH
 * PROTOCOL.certkeys and PROTOCOL.u2f): read field by field, without OpenSSL, so that the agent
 * can say which key it is and pass it on unlooked-at, and the worker that keeps it can build it.
 */
#ifndef KEYSTILE_PRIVATE_KEY_H
#define KEYSTILE_PRIVATE_KEY_H

#include <keystile/buffer.h>
#include <keystile/public_key.h>

/* Everything borrows from what was read; what a kind does not have is empty. */
struct private_key {
	enum key_kind kind;
	struct bytes
		whole; /* from the type's name to the last field: what FRAME_ADD's pipe holds */
	struct bytes certificate; /* its blob; empty: a plain key */
	/* RSA: n e d iqmp p q. DSA: p q g y x. Magnitudes of the mpints, empty where a certificate
	 * has them. */
	struct bytes numbers[6];
	/* ECDSA: Q; Ed25519 and composite: the public key; also of security keys */
	struct bytes point;
	/* ECDSA: d, magnitude; Ed25519: the 64 bytes; composite: the two seeds */
	struct bytes scalar;
	/* security keys */
	struct bytes application;
	uint8_t sk_flags;
	struct bytes key_handle;
};

/*
 * Reads one key from the front of the reader; comment and constraints, if any, are left in it.
 * KS_UNSUPPORTED: a type that is not known here; KS_BAD_INPUT: malformed.
 */
KS_MUST_CHECK enum ks_error private_key_read(struct reader *reader, struct private_key *out);
/*
 * Appends the blob by which the key is listed: the certificate, or the plain public key. That it is
 * one and fits the private part is not known yet: KS_BAD_INPUT only where public_key_parse()
 * refuses it.
 */
KS_MUST_CHECK enum ks_error private_key_put_public(const struct private_key *key, struct buf *blob);

#endif
