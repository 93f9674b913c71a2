/*
 * Certificates by which makers vouch for the endorsement keys of their TPMs (X.509, TCG EK
 * Credential Profile 2.5, section 3).
 */
#ifndef KEYSTILE_TPM2_CERTIFICATE_H
#define KEYSTILE_TPM2_CERTIFICATE_H

#include <jansson.h>
#include <openssl/x509.h>
#include <tss2/tss2_tpm2_types.h>

#include <keystile/buffer.h>

/* Authorities, and certificates that lead from one of them to a TPM's. Zeroed means nobody is
 * trusted. */
struct authorities {
	X509_STORE *roots;
	STACK_OF(X509) * chain;
};

/* pem: those that are trusted; chain: DER, one after the other, which are not. */
void authorities_init(struct authorities *authorities, const char *pem, struct bytes chain);
void authorities_deinit(struct authorities *authorities);

/* NULL: it is none. The caller frees it. */
X509 *certificate_parse(struct bytes der);
/* Whether it is about this key. */
bool certificate_is_of(X509 *certificate, const TPMT_PUBLIC *key);
/* Whether it is that of an endorsement key, valid, and leads to an authority. */
bool certificate_is_trusted(X509 *certificate, const struct authorities *authorities);
/* "subject", "issuer" and "serial" (hexadecimal). */
json_t *certificate_describe(X509 *certificate);

#endif
