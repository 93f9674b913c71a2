/*
 * A key that was made outside is put into the shape in which a TPM takes it from another one:
 * encrypted to a storage key of which only the public part is needed (TPM 2.0 part 1, sections 22
 * and 23: outer wrapping, KDFa and KDFe). So neither the bus to a TPM nor a file on the way to
 * another machine shows it.
 */
#ifndef KEYSTILE_TPM2_DUPLICATE_H
#define KEYSTILE_TPM2_DUPLICATE_H

#include <tss2/tss2_tpm2_types.h>

#include <keystile/error.h>
#include <keystile/private_key.h>

/* Wrapped: what TPM2_Import wants besides the parent. */
struct duplicate {
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TPM2B_ENCRYPTED_SECRET seed;
};

/*
 * The two parts of a key as a TPM has them. auth is its PIN, and empty for none. KS_UNSUPPORTED,
 * with words in *wrong that go on after "the key ...": a kind that TPMs do not have. The caller
 * wipes *sensitive.
 */
KS_MUST_CHECK enum ks_error duplicate_parts(const struct private_key *key, const TPM2B_AUTH *auth,
	TPM2B_PUBLIC *public, TPM2B_SENSITIVE *sensitive, const char **wrong);

/*
 * Whether a public part is that of a key which can be wrapped for: a storage key that cannot leave
 * its TPM, with AES. NULL, or words that go on after "it ...".
 */
const char *duplicate_target_wrong(const TPMT_PUBLIC *target);

/* KS_DEVICE_FAILED: OpenSSL would not, which for a target as above is out of memory. */
KS_MUST_CHECK enum ks_error duplicate_wrap(const TPMT_PUBLIC *target, const TPM2B_PUBLIC *public,
	const TPM2B_SENSITIVE *sensitive, struct duplicate *out);

#endif
