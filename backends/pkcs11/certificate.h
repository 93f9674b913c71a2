/*
 * What an X.509 certificate on a token says of its key, for people and for rules: read by OpenSSL,
 * here, where a card's owner or a stranger may have written anything into it. Nothing of it is
 * verified, and no key is trusted for it.
 */
#ifndef KEYSTILE_PKCS11_CERTIFICATE_H
#define KEYSTILE_PKCS11_CERTIFICATE_H

#include <openssl/types.h>

#include <keystile/backend.h>

struct certificate {
	struct ks_certificate said; /* its texts are the ones below */
	char subject[KS_CERTIFICATE_TEXT_MAX + 1];
	char issuer[KS_CERTIFICATE_TEXT_MAX + 1];
	char issuer_name[KS_CERTIFICATE_TEXT_MAX + 1];
	char usages[KS_USAGES_MAX + 1];
};

/*
 * Fresh memory for free(). NULL, with a line in the log, where its times or its extended key usages
 * can't be read, or when out of memory; texts that can't be read are empty, long ones are cut.
 */
struct certificate *certificate_read(X509 *x509);
/*
 * Two for one key become one, the other is freed: the one that is valid at that time, of two such
 * the one that is so for longer. Either may be NULL.
 */
struct certificate *certificate_choose(
	struct certificate *one, struct certificate *other, uint64_t now);

#endif
