/*
 * Signatures with a key that OpenSSL holds.
 */
#ifndef MEMORY_SIGNER_H
#define MEMORY_SIGNER_H

#include "material.h"

/* KS_UNSUPPORTED where a key of that kind makes no such signatures. */
KS_MUST_CHECK enum ks_error signer_sign(const struct usable *usable, enum key_kind kind,
	enum ks_algorithm algorithm, struct bytes data, struct buf *signature);

#endif
