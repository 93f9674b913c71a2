/*
 * SSH public keys out of what a token holds: the attributes of a public-key object, or a
 * certificate. Every blob that comes out has passed public_key_parse().
 */
#ifndef KEYSTILE_PKCS11_KEY_BLOB_H
#define KEYSTILE_PKCS11_KEY_BLOB_H

#include "attribute.h"
#include "certificate.h"

/*
 * Appends the blob of a public-key object. False, with a line in the log, for kinds and sizes
 * that aren't used here and for nonsense.
 */
bool key_blob_from_object(const struct object *object, struct buf *blob);
/* The same from an X.509 certificate, and what that says; *facts may stay NULL all the same. */
bool key_blob_from_certificate(
	const struct object *object, struct buf *blob, struct certificate **facts);
/*
 * The key type that the object of a blob's private key has (CKK_RSA, CKK_EC, CKK_EC_EDWARDS),
 * and what is public of it: the modulus without leading zeros, or the point without wrapping. The
 * bytes borrow from blob.
 */
bool key_blob_describe(struct bytes blob, CK_KEY_TYPE *type, struct bytes *public);
/*
 * True when a CKA_MODULUS or CKA_EC_POINT, wrapped in an OCTET STRING or not, says the same as
 * public does.
 */
bool key_blob_matches(struct bytes attribute, struct bytes public);

#endif
