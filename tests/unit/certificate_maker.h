/*
 * Certificates of Ed25519 keys for tests, signed by any key (OpenSSH PROTOCOL.certkeys).
 */
#ifndef CERTIFICATE_MAKER_H
#define CERTIFICATE_MAKER_H

#include "bind_maker.h"

/* What is left empty is sound: of a host, always in date. */
struct certificate_draft {
	EVP_PKEY *key;
	EVP_PKEY *authority;
	enum ks_algorithm algorithm; /* the authority's */
	bool user;
	const char *principals[3];
	uint64_t valid_after, valid_before; /* 0 in before: forever */
	const char *critical_option;
};

static inline void certificate_put_key(struct buf *out, EVP_PKEY *key)
{
	uint8_t point[32];
	size_t len = sizeof(point);

	if (EVP_PKEY_get_raw_public_key(key, point, &len) != 1)
		out->failed = true;
	buf_put_string(out, BYTES(point, len));
}

static inline void certificate_put_body(struct buf *out, const struct certificate_draft *draft)
{
	AUTO(buf) authority = {0}, principals = {0}, options = {0};

	if (public_key_put_pkey(&authority, draft->authority) != KS_OK)
		out->failed = true;
	for (size_t i = 0; i < 3 && draft->principals[i] != NULL; i++)
		buf_put_text(&principals, draft->principals[i]);
	if (draft->critical_option != NULL) {
		buf_put_text(&options, draft->critical_option);
		buf_put_text(&options, "");
	}
	buf_put_text(out, "ssh-ed25519-cert-v01@openssh.com");
	buf_put_text(out, "nonce");
	certificate_put_key(out, draft->key);
	buf_put_u64(out, 1);
	buf_put_u32(out, draft->user ? CERTIFICATE_USER : CERTIFICATE_HOST);
	buf_put_text(out, "id");
	buf_put_string(out, buf_bytes(&principals));
	buf_put_u64(out, draft->valid_after);
	buf_put_u64(out, draft->valid_before != 0 ? draft->valid_before : UINT64_MAX);
	buf_put_string(out, buf_bytes(&options));
	buf_put_text(out, "");
	buf_put_text(out, "");
	buf_put_string(out, buf_bytes(&authority));
}

/* Appends the certificate's blob to an empty buffer. */
static inline void certificate_put(struct buf *out, const struct certificate_draft *draft)
{
	AUTO(buf) signature = {0};

	certificate_put_body(out, draft);
	if (host_key_sign(&signature, draft->authority, draft->algorithm, buf_bytes(out)) != KS_OK)
		out->failed = true;
	buf_put_string(out, buf_bytes(&signature));
}

#endif
