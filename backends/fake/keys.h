/*
 * Keys that follow from their name: the same in every run, known to every test, and
 * so to everybody. THEY PROTECT NOTHING.
 */
#ifndef KEYSTILE_FAKE_KEYS_H
#define KEYSTILE_FAKE_KEYS_H

#include <openssl/types.h>

#include <keystile/public_key.h>

#include "options.h"

/*
 * The key of this name: private numbers are taken from SHAKE256("keystile fake " name), for
 * Ed25519 its first 32 bytes. NULL when OpenSSL fails; the caller frees it with EVP_PKEY_free().
 */
EVP_PKEY *fake_key_make(const char *name, enum fake_kind kind);

/* KS_UNSUPPORTED where the key has no such algorithm. */
KS_MUST_CHECK enum ks_error fake_key_sign(
	EVP_PKEY *pkey, enum ks_algorithm algorithm, struct bytes data, struct buf *signature);

#endif
