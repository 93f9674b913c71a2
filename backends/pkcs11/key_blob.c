/*
 * Makes SSH public keys from PKCS#11 attributes. Tokens disagree on how a curve is
 * named and how a point is wrapped; both are settled here.
 */
#include "key_blob.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/public_key.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

struct curve {
	enum key_kind kind;
	struct bytes parameters; /* CKA_EC_PARAMS: the DER of an OID or of a PrintableString */
	size_t point_len;
};

#define DER(text)                                                                                  \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

/* OIDs from RFC 5480 and RFC 8410; GnuPG's for Ed25519 is what several tokens still say. */
static const struct curve curves[] = {
	{KEY_ECDSA_P256, DER("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), 65},
	{KEY_ECDSA_P256, DER("\x13\x09secp256r1"), 65},
	{KEY_ECDSA_P256, DER("\x13\x0aprime256v1"), 65},
	{KEY_ECDSA_P384, DER("\x06\x05\x2b\x81\x04\x00\x22"), 97},
	{KEY_ECDSA_P384, DER("\x13\x09secp384r1"), 97},
	{KEY_ECDSA_P521, DER("\x06\x05\x2b\x81\x04\x00\x23"), 133},
	{KEY_ECDSA_P521, DER("\x13\x09secp521r1"), 133},
	{KEY_ED25519, DER("\x06\x03\x2b\x65\x70"), 32},
	{KEY_ED25519, DER("\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01"), 32},
	{KEY_ED25519,
		DER("\x13\x0c"
		    "edwards25519"),
		32},
	{KEY_ED25519,
		DER("\x13\x07"
		    "Ed25519"),
		32},
};

/* The content of an OCTET STRING that fills der exactly; der itself where it is none. */
static struct bytes unwrap(struct bytes der)
{
	if (der.len > 2 && der.data[0] == 0x04 && der.data[1] < 0x80 && der.data[1] == der.len - 2)
		return BYTES(der.data + 2, der.len - 2);
	if (der.len > 3 && der.data[0] == 0x04 && der.data[1] == 0x81 && der.data[2] == der.len - 3)
		return BYTES(der.data + 3, der.len - 3);
	return der;
}

static struct bytes without_zeros(struct bytes number)
{
	while (number.len && !number.data[0]) {
		number.data++;
		number.len--;
	}
	return number;
}

/* A raw point may begin like a wrapped one: the length decides. */
static struct bytes point_of(struct bytes attribute, size_t point_len)
{
	return attribute.len == point_len ? attribute : unwrap(attribute);
}

static const struct curve *find_curve(struct bytes parameters)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (bytes_equal(curves[i].parameters, parameters))
			return &curves[i];
	return NULL;
}

static bool put_curve_key(const struct object *object, struct buf *blob)
{
	AUTO(buf)
	parameters = {0};
	AUTO(buf)
	attribute = {0};
	const struct curve *curve;
	struct bytes point;

	if (!attribute_read(object, CKA_EC_PARAMS, &parameters) ||
		!attribute_read(object, CKA_EC_POINT, &attribute))
		return false;
	curve = find_curve(buf_bytes(&parameters));
	if (!curve)
		return false;
	point = point_of(buf_bytes(&attribute), curve->point_len);
	if (point.len != curve->point_len)
		return false;
	if (curve->kind != KEY_ED25519)
		return public_key_put_ecdsa(blob, curve->kind, point) == KS_OK;
	public_key_put_ed25519(blob, point);
	return true;
}

static bool put_rsa_key(const struct object *object, struct buf *blob)
{
	AUTO(buf)
	modulus = {0};
	AUTO(buf)
	exponent = {0};

	if (!attribute_read(object, CKA_MODULUS, &modulus) ||
		!attribute_read(object, CKA_PUBLIC_EXPONENT, &exponent))
		return false;
	public_key_put_rsa(blob, buf_bytes(&exponent), buf_bytes(&modulus));
	return true;
}

/* Nothing is reported that public_key_parse() would refuse, nor RSA of a size not used here. */
static bool usable(const struct buf *blob)
{
	struct public_key *key = NULL;
	unsigned bits;
	bool good;

	if (buf_status(blob) != KS_OK || public_key_parse(buf_bytes(blob), &key) != KS_OK)
		return false;
	bits = public_key_bits(key);
	good = key->kind != KEY_RSA || (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX);
	if (!good)
		log_info("an RSA key of %u bits is left out", bits);
	public_key_free(&key);
	return good;
}

bool key_blob_from_object(const struct object *object, struct buf *blob)
{
	CK_ULONG type = attribute_number(object, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	bool put = false;

	if (type == CKK_RSA)
		put = put_rsa_key(object, blob);
	else if (type == CKK_EC || type == CKK_EC_EDWARDS)
		put = put_curve_key(object, blob);
	if (put && usable(blob))
		return true;
	log_info("a public key of type 0x%lx on the token can't be used", type);
	return false;
}

bool key_blob_from_certificate(
	const struct object *object, struct buf *blob, struct certificate **facts)
{
	AUTO(buf)
	der = {0};
	const unsigned char *next;
	X509 *certificate;
	EVP_PKEY *pkey;
	bool put;

	if (!attribute_read(object, CKA_VALUE, &der) || !der.len) {
		log_info("a certificate on the token can't be read, or is over %zu bytes",
			ATTRIBUTE_MAX);
		return false;
	}
	next = der.data;
	certificate = d2i_X509(NULL, &next, (long)der.len);
	pkey = certificate ? X509_get0_pubkey(certificate) : NULL;
	put = pkey && public_key_put_pkey(blob, pkey) == KS_OK && usable(blob);
	if (put)
		*facts = certificate_read(certificate);
	X509_free(certificate);
	if (!put)
		log_info("a certificate on the token holds no key that can be used");
	return put;
}

bool key_blob_describe(struct bytes blob, CK_KEY_TYPE *type, struct bytes *public)
{
	struct reader reader = reader_of(blob);
	struct bytes name = reader_string(&reader);

	if (bytes_equal_text(name, "ssh-rsa")) {
		*type = CKK_RSA;
		reader_string(&reader); /* exponent */
		*public = without_zeros(reader_string(&reader));
	} else if (bytes_equal_text(name, "ssh-ed25519")) {
		*type = CKK_EC_EDWARDS;
		*public = reader_string(&reader);
	} else {
		*type = CKK_EC;
		reader_string(&reader); /* curve */
		*public = reader_string(&reader);
	}
	return reader_end(&reader) == KS_OK;
}

bool key_blob_matches(struct bytes attribute, struct bytes public)
{
	return bytes_equal(without_zeros(attribute), public) ||
	       bytes_equal(point_of(attribute, public.len), public);
}
