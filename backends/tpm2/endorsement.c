/*
 * The templates, and what a maker may have put in their place.
 */
#include "endorsement.h"

#include <string.h>

#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "attestation.h"
#include "nv.h"
#include "session.h"

#define LOW                                                                                        \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
		TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define HIGH (LOW | TPMA_OBJECT_USERWITHAUTH)

#define CHAIN_FIRST 0x01c00100U
#define CHAIN_PLACES 16

/* Policy A is TPM2_PolicySecret of the endorsement hierarchy; B is that, or what the TPM's owner
 * has written down at a certain place. */
static const TPM2B_DIGEST policy_a = {.size = 32,
	.buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46,
		0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda,
		0x1b, 0x33, 0x14, 0x69, 0xaa}};
static const TPM2B_DIGEST policy_b_sha256 = {.size = 32,
	.buffer = {0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34, 0x24, 0x14,
		0xef, 0xcf, 0xb3, 0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, 0x90, 0x89, 0xd1, 0x9b,
		0x50, 0x71, 0xc0, 0xb7, 0xa0}};
static const TPM2B_DIGEST policy_b_sha384 = {.size = 48,
	.buffer = {0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5,
		0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a,
		0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f,
		0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12}};

static const struct {
	TPM2_HANDLE certificate;
	TPM2_HANDLE nonce;    /* 0: there is no place for one */
	TPM2_HANDLE template; /* of the maker's own, instead of ours */
	TPMI_ALG_PUBLIC type;
	UINT16 size; /* curve, or bits of the modulus */
	UINT16 zeros;
	bool sha384; /* name and policy, and AES with 256 bits; else SHA-256 and 128 */
} templates[ENDORSEMENT_COUNT] = {
	{0x01c0000a, 0x01c0000b, 0x01c0000c, TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 32, false}, /* L-2 */
	{0x01c00014, 0, 0x01c00015, TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0, false},	   /* H-2 */
	{0x01c00016, 0, 0x01c00017, TPM2_ALG_ECC, TPM2_ECC_NIST_P384, 0, true},		   /* H-3 */
	{0x01c00002, 0x01c00003, 0x01c00004, TPM2_ALG_RSA, 2048, 256, false},		   /* L-1 */
	{0x01c00012, 0, 0x01c00013, TPM2_ALG_RSA, 2048, 0, false},			   /* H-1 */
	{0x01c0001c, 0, 0x01c0001d, TPM2_ALG_RSA, 3072, 0, true},			   /* H-6 */
	{0x01c0001e, 0, 0x01c0001f, TPM2_ALG_RSA, 4096, 0, true},			   /* H-7 */
};

TPM2_HANDLE endorsement_place(size_t which)
{
	return templates[which].certificate;
}

size_t endorsement_at(TPM2_HANDLE place)
{
	size_t which = 0;

	while (which < ENDORSEMENT_COUNT && templates[which].certificate != place)
		which++;
	return which;
}

/* ---- Templates ---- */

static TPMT_SYM_DEF_OBJECT cipher_of(size_t which)
{
	return (TPMT_SYM_DEF_OBJECT){.algorithm = TPM2_ALG_AES,
		.keyBits.aes = templates[which].sha384 ? 256 : 128,
		.mode.aes = TPM2_ALG_CFB};
}

static void fill_ecc(TPMT_PUBLIC *area, size_t which)
{
	area->parameters.eccDetail = (TPMS_ECC_PARMS){.symmetric = cipher_of(which),
		.scheme.scheme = TPM2_ALG_NULL,
		.curveID = templates[which].size,
		.kdf.scheme = TPM2_ALG_NULL};
	area->unique.ecc.x.size = templates[which].zeros;
	area->unique.ecc.y.size = templates[which].zeros;
}

static void fill_rsa(TPMT_PUBLIC *area, size_t which)
{
	area->parameters.rsaDetail = (TPMS_RSA_PARMS){.symmetric = cipher_of(which),
		.scheme.scheme = TPM2_ALG_NULL,
		.keyBits = templates[which].size};
	area->unique.rsa.size = templates[which].zeros;
}

TPM2B_PUBLIC endorsement_template(size_t which)
{
	const bool low = templates[which].nonce != 0;
	TPM2B_PUBLIC public = {
		.publicArea = {.type = templates[which].type,
			.nameAlg = templates[which].sha384 ? TPM2_ALG_SHA384 : TPM2_ALG_SHA256,
			.objectAttributes = low ? LOW : HIGH,
			.authPolicy = templates[which].sha384 ? policy_b_sha384
				      : low		      ? policy_a
							      : policy_b_sha256}};

	if (public.publicArea.type == TPM2_ALG_ECC)
		fill_ecc(&public.publicArea, which);
	else
		fill_rsa(&public.publicArea, which);
	return public;
}

/* A nonce makes another key of the same template: it is what the zeros begin with. */
static void take_nonce(struct held *held, size_t which, TPMT_PUBLIC *area)
{
	AUTO(buf) nonce = {0};
	uint8_t *room =
		area->type == TPM2_ALG_ECC ? area->unique.ecc.x.buffer : area->unique.rsa.buffer;

	if (templates[which].nonce != 0 && nv_read(held, templates[which].nonce, &nonce) &&
		nonce.len <= templates[which].zeros)
		memcpy(room, nonce.data, nonce.len);
}

static TPM2B_PUBLIC find_template(struct held *held, size_t which)
{
	TPM2B_PUBLIC public = {0};
	AUTO(buf) bytes = {0};
	size_t at = 0;

	if (nv_read(held, templates[which].template, &bytes) &&
		Tss2_MU_TPMT_PUBLIC_Unmarshal(bytes.data, bytes.len, &at, &public.publicArea) ==
			TSS2_RC_SUCCESS)
		return public;
	public = endorsement_template(which);
	take_nonce(held, which, &public.publicArea);
	return public;
}

/* ---- In the TPM ---- */

static TSS2_RC make(struct held *held, const TPM2B_PUBLIC *template, const TPM2B_AUTH *auth,
	ESYS_TR *out, TPM2B_PUBLIC **public)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	ESYS_CONTEXT *esys = held->tpm.esys;
	TSS2_RC code = Esys_TR_SetAuth(esys, ESYS_TR_RH_ENDORSEMENT, auth);

	if (code == TSS2_RC_SUCCESS)
		code = Esys_CreatePrimary(esys, ESYS_TR_RH_ENDORSEMENT, held->session, ESYS_TR_NONE,
			ESYS_TR_NONE, &sensitive, template, &outside, &pcrs, out, public, NULL,
			NULL, NULL);
	tpm_clear_auth(esys, ESYS_TR_RH_ENDORSEMENT);
	if (code != TSS2_RC_SUCCESS)
		*out = ESYS_TR_NONE;
	return code;
}

TSS2_RC endorsement_make(struct held *held, size_t which, const TPM2B_AUTH *auth, ESYS_TR *out,
	TPM2B_PUBLIC **public)
{
	const TPM2B_PUBLIC template = find_template(held, which);

	*public = NULL;
	return make(held, &template, auth, out, public);
}

TSS2_RC endorsement_make_attestation_key(
	struct held *held, const TPM2B_AUTH *auth, ESYS_TR *out, TPM2B_PUBLIC **public)
{
	const TPM2B_PUBLIC template = attestation_key_template();

	return make(held, &template, auth, out, public);
}

void endorsement_chain(struct held *held, struct buf *out)
{
	buf_init(out, NV_MAX);
	for (TPM2_HANDLE i = 0; i < CHAIN_PLACES; i++)
		if (!nv_read(held, CHAIN_FIRST + i, out))
			return;
}
