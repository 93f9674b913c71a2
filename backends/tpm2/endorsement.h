/*
 * Endorsement keys: keys that a TPM derives from a seed of its maker's, the same each time, and for
 * which the maker may have left certificates in it. They sign nothing; they decrypt what is meant
 * for this TPM alone. Templates and places are those of the TCG EK Credential Profile 2.5
 * (section 2.2.1.4 and annex B).
 */
#ifndef KEYSTILE_TPM2_ENDORSEMENT_H
#define KEYSTILE_TPM2_ENDORSEMENT_H

#include "held.h"

/* Templates by where their certificates are, those on curves first as they are made at once. */
#define ENDORSEMENT_COUNT 7
/* An ECC P-256 one, which is taken where the maker left no certificate; an RSA 2048 one where the
 * TPM lacks that. */
#define ENDORSEMENT_USUAL 0
#define ENDORSEMENT_USUAL_RSA 3

TPM2_HANDLE endorsement_place(size_t which);
/* ENDORSEMENT_COUNT: none. */
size_t endorsement_at(TPM2_HANDLE place);
TPM2B_PUBLIC endorsement_template(size_t which);

/*
 * Has the TPM make it, with the template that the maker left in it where there is one. The caller
 * flushes *out and gives *public back with Esys_Free(). auth is that of the endorsement hierarchy.
 */
TSS2_RC endorsement_make(struct held *held, size_t which, const TPM2B_AUTH *auth, ESYS_TR *out,
	TPM2B_PUBLIC **public);

/* The same with the attestation key of attestation.h; public may be NULL. */
TSS2_RC endorsement_make_attestation_key(
	struct held *held, const TPM2B_AUTH *auth, ESYS_TR *out, TPM2B_PUBLIC **public);

/* Certificates between the maker's root and those of its TPMs, one after the other, or nothing. */
void endorsement_chain(struct held *held, struct buf *out);

#endif
