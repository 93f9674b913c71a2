/*
 * What the agent keeps of the password of ssh-add -x: a salted scrypt hash (RFC 7914). A password
 * is digested at once, so that neither its text nor its length is copied about, and the digest
 * goes through scrypt on a thread of its own.
 */
#ifndef AGENT_PASSWORD_HASH_H
#define AGENT_PASSWORD_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include <keystile/buffer.h>

#define PASSWORD_DIGEST 32

struct password_hash {
	uint8_t salt[16];
	uint8_t key[32];
};

/* As secret as the password itself. KS_NO_MEMORY: not made. */
KS_MUST_CHECK enum ks_error password_digest(struct bytes password, uint8_t out[PASSWORD_DIGEST]);
/* KS_NO_MEMORY: no random bytes. */
KS_MUST_CHECK enum ks_error password_hash_new_salt(struct password_hash *hash);
/* Fills hash->key by hash->salt; takes about 50 ms. KS_NO_MEMORY: scrypt did not get its 16 MiB. */
KS_MUST_CHECK enum ks_error password_hash_derive(
	struct password_hash *hash, const uint8_t digest[PASSWORD_DIGEST]);
/* In constant time. */
bool password_hash_equal(const struct password_hash *one, const struct password_hash *other);

#endif
