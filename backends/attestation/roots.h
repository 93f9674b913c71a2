/*
 * The makers' certificates that a person, or the machine's administrator, has put into a folder of
 * the configuration: by nothing else is an attestation believed.
 */
#ifndef KEYSTILE_ATTESTATION_ROOTS_H
#define KEYSTILE_ATTESTATION_ROOTS_H

#include <openssl/x509.h>

#include <keystile/error.h>

struct roots {
	X509_STORE *trusted;	/* those that have signed themselves */
	STACK_OF(X509) * links; /* the others, which may stand between these and a card */
	int count;		/* of the trusted ones */
};

/*
 * From /etc/keystile/attestation and keystile/attestation in the person's folder of configuration:
 * files of PEM that belong to root or the person and that nobody else may write. What is no such
 * file is left out with a line in the log. roots_deinit() is due in any case.
 */
KS_MUST_CHECK enum ks_error roots_read(struct roots *out);
void roots_deinit(struct roots *roots);

#endif
