/*
 * Templates of storage keys, and loading them.
 */
#include "parent.h"

#include <string.h>

#include "key_file.h"
#include "session.h"
#include "tpm.h"

#define USUAL                                                                                      \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define PERSISTENT_MASK 0xff000000U

static const struct {
	const char *name;
	TPMI_ALG_PUBLIC type;
	TPMI_ALG_HASH name_algorithm;
	TPMA_OBJECT more; /* attributes */
	UINT16 cipher_bits;
	UINT16 size; /* curve, or bits of the modulus */
	UINT16 zeros;
} templates[] = {
	[TPM_TEMPLATE_ECC_P256] = {"ECC P-256", TPM2_ALG_ECC, TPM2_ALG_SHA256, TPMA_OBJECT_NODA,
		128, TPM2_ECC_NIST_P256, 0},
	[TPM_TEMPLATE_RSA_2048] = {"RSA 2048", TPM2_ALG_RSA, TPM2_ALG_SHA256, TPMA_OBJECT_NODA, 128,
		2048, 0},
	[TPM_TEMPLATE_ECC_P256_TOOLS] = {"ECC P-256 of tpm2-tools", TPM2_ALG_ECC, TPM2_ALG_SHA256,
		0, 128, TPM2_ECC_NIST_P256, 0},
	[TPM_TEMPLATE_RSA_2048_TOOLS] = {"RSA 2048 of tpm2-tools", TPM2_ALG_RSA, TPM2_ALG_SHA256, 0,
		128, 2048, 0},
	[TPM_TEMPLATE_ECC_P384] = {"ECC P-384", TPM2_ALG_ECC, TPM2_ALG_SHA384, TPMA_OBJECT_NODA,
		256, TPM2_ECC_NIST_P384, 0},
	[TPM_TEMPLATE_ECC_P256_ZEROS] = {"ECC P-256 with zeros", TPM2_ALG_ECC, TPM2_ALG_SHA256,
		TPMA_OBJECT_NODA, 128, TPM2_ECC_NIST_P256, 32},
	[TPM_TEMPLATE_RSA_2048_ZEROS] = {"RSA 2048 with zeros", TPM2_ALG_RSA, TPM2_ALG_SHA256,
		TPMA_OBJECT_NODA, 128, 2048, 256},
};

bool tpm_parent_is_hierarchy(TPM2_HANDLE handle)
{
	return handle == TPM2_RH_OWNER || handle == TPM2_RH_ENDORSEMENT ||
	       handle == TPM2_RH_PLATFORM || handle == TPM2_RH_NULL;
}

const char *tpm_template_name(enum tpm_template template)
{
	return templates[template].name;
}

static void fill_rsa(TPMT_PUBLIC *area, enum tpm_template template)
{
	TPMS_RSA_PARMS *parameters = &area->parameters.rsaDetail;

	parameters->keyBits = templates[template].size;
	parameters->scheme.scheme = TPM2_ALG_NULL;
	parameters->symmetric.algorithm = TPM2_ALG_AES;
	parameters->symmetric.keyBits.aes = templates[template].cipher_bits;
	parameters->symmetric.mode.aes = TPM2_ALG_CFB;
	area->unique.rsa.size = templates[template].zeros;
}

static void fill_ecc(TPMT_PUBLIC *area, enum tpm_template template)
{
	TPMS_ECC_PARMS *parameters = &area->parameters.eccDetail;

	parameters->curveID = templates[template].size;
	parameters->scheme.scheme = TPM2_ALG_NULL;
	parameters->kdf.scheme = TPM2_ALG_NULL;
	parameters->symmetric.algorithm = TPM2_ALG_AES;
	parameters->symmetric.keyBits.aes = templates[template].cipher_bits;
	parameters->symmetric.mode.aes = TPM2_ALG_CFB;
	area->unique.ecc.x.size = templates[template].zeros;
	area->unique.ecc.y.size = templates[template].zeros;
}

TPM2B_PUBLIC tpm_template_public(enum tpm_template template)
{
	TPM2B_PUBLIC public = {.publicArea = {.type = templates[template].type,
				       .nameAlg = templates[template].name_algorithm,
				       .objectAttributes = USUAL | templates[template].more}};

	if (public.publicArea.type == TPM2_ALG_RSA)
		fill_rsa(&public.publicArea, template);
	else
		fill_ecc(&public.publicArea, template);
	return public;
}

static ESYS_TR hierarchy_of(TPM2_HANDLE handle)
{
	switch (handle) {
	case TPM2_RH_ENDORSEMENT:
		return ESYS_TR_RH_ENDORSEMENT;
	case TPM2_RH_PLATFORM:
		return ESYS_TR_RH_PLATFORM;
	case TPM2_RH_NULL:
		return ESYS_TR_RH_NULL;
	default:
		return ESYS_TR_RH_OWNER;
	}
}

/* Even an empty authorisation value goes by HMAC: no command of ours carries a password. */
static TSS2_RC create(
	ESYS_CONTEXT *esys, const struct tpm_parent *parent, const TPM2B_AUTH *auth, ESYS_TR *out)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	const TPM2B_PUBLIC public = tpm_template_public(parent->template);
	const ESYS_TR hierarchy = hierarchy_of(parent->handle);
	ESYS_TR session;
	TSS2_RC code;

	code = tpm_session_start(esys, ESYS_TR_NONE, &session);
	if (code == TSS2_RC_SUCCESS)
		code = Esys_TR_SetAuth(esys, hierarchy, auth);
	if (code == TSS2_RC_SUCCESS)
		code = Esys_CreatePrimary(esys, hierarchy, session, ESYS_TR_NONE, ESYS_TR_NONE,
			&sensitive, &public, &outside, &pcrs, out, NULL, NULL, NULL, NULL);
	if (code != TSS2_RC_SUCCESS)
		*out = ESYS_TR_NONE;
	tpm_clear_auth(esys, hierarchy);
	tpm_flush(esys, &session);
	return code;
}

TSS2_RC tpm_parent_load(
	ESYS_CONTEXT *esys, const struct tpm_parent *parent, const TPM2B_AUTH *auth, ESYS_TR *out)
{
	*out = ESYS_TR_NONE;
	if (tpm_parent_is_hierarchy(parent->handle))
		return create(esys, parent, auth, out);
	if ((parent->handle & PERSISTENT_MASK) != TPM_PERSISTENT_FIRST)
		return TPM2_RC_HANDLE;
	return Esys_TR_FromTPMPublic(
		esys, parent->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, out);
}

void tpm_parent_drop(ESYS_CONTEXT *esys, const struct tpm_parent *parent, ESYS_TR *loaded)
{
	if (tpm_parent_is_hierarchy(parent->handle))
		tpm_flush(esys, loaded);
	else
		tpm_forget(esys, loaded);
}
