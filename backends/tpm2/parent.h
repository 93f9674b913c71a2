/*
 * The keys that wrap our keys. A key file names a hierarchy, which stands for the storage key that
 * the TPM derives from the hierarchy's seed and a template, the same each time; or a persistent
 * key. Sessions are salted to them, so their names are compared with those of the first time:
 * whoever sits between us and the TPM could otherwise hand us a key of their own.
 */
#ifndef KEYSTILE_TPM2_PARENT_H
#define KEYSTILE_TPM2_PARENT_H

#include <stdbool.h>

#include <tss2/tss2_esys.h>

#include <keystile/backend.h>

/*
 * TCG EK Credential Profile, templates H-2, H-1 and H-3 as storage keys (unique is empty); those
 * that tpm2_createprimary makes when it is not told more, which are not exempt from counting wrong
 * PINs; those of the TCG Provisioning Guidance (unique is zeros, as long as the key). The first is
 * that of key files.
 */
enum tpm_template {
	TPM_TEMPLATE_ECC_P256,
	TPM_TEMPLATE_RSA_2048,
	TPM_TEMPLATE_ECC_P256_TOOLS,
	TPM_TEMPLATE_RSA_2048_TOOLS,
	TPM_TEMPLATE_ECC_P384,
	TPM_TEMPLATE_ECC_P256_ZEROS,
	TPM_TEMPLATE_RSA_2048_ZEROS,
	TPM_TEMPLATE_COUNT
};

struct tpm_parent {
	TPM2_HANDLE handle;	    /* TPM2_RH_OWNER, ..., or 0x81...... */
	enum tpm_template template; /* of a hierarchy's */
};

bool tpm_parent_is_hierarchy(TPM2_HANDLE handle);
/* "ECC P-256"; static. */
const char *tpm_template_name(enum tpm_template template);
TPM2B_PUBLIC tpm_template_public(enum tpm_template template);

/*
 * Has the TPM make it, or finds the persistent one. auth is the hierarchy's, or NULL; a persistent
 * parent's own is set with Esys_TR_SetAuth() by who uses it. Under a hierarchy with an
 * authorisation value the command runs in a session that is not salted, as there is nothing yet to
 * salt it to: the value itself does not travel. *out by tpm_flush(), which for a persistent one
 * only forgets it (tpm_parent_drop).
 */
TSS2_RC tpm_parent_load(
	ESYS_CONTEXT *esys, const struct tpm_parent *parent, const TPM2B_AUTH *auth, ESYS_TR *out);
void tpm_parent_drop(ESYS_CONTEXT *esys, const struct tpm_parent *parent, ESYS_TR *loaded);

/*
 * Compares the loaded parent's name with the one that was written down the first time, in the
 * folder of state, for this TCTI. KS_NOT_ALLOWED, in words, when it is another.
 */
KS_MUST_CHECK enum ks_error tpm_parent_check_name(struct ks_operation *operation,
	ESYS_CONTEXT *esys, const char *state_folder, const char *tcti,
	const struct tpm_parent *parent, ESYS_TR loaded);

#endif
