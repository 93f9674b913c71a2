/*
 * X.509 certificates as a hostile card holds them: what is said of one may be in a frame.
 */
#include <stdlib.h>

#include <openssl/x509.h>

#include <keystile/frame.h>

#include "certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	X509 *x509 = d2i_X509(NULL, &data, (long)len);
	struct certificate *certificate = x509 ? certificate_read(x509) : NULL;

	if (certificate && !frame_certificate_fits(&certificate->said))
		abort();
	free(certificate);
	X509_free(x509);
	return 0;
}
