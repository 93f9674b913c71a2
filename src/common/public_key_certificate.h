/*
 * OpenSSH certificates (PROTOCOL.certkeys).
 */
#ifndef PUBLIC_KEY_CERTIFICATE_H
#define PUBLIC_KEY_CERTIFICATE_H

#include <keystile/public_key.h>

/*
 * Reads a certificate from behind its name to its end, blob is the whole; key->kind says which
 * kind. Fills in plain and what only certificates have. KS_BAD_INPUT where malformed or signed by a
 * key that is not known here; the signature is not verified.
 */
KS_MUST_CHECK enum ks_error certificate_read(
	struct reader *in, struct bytes blob, struct public_key *key);

#endif
