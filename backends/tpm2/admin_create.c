/*
 * A key that is made in the TPM and never leaves it: {"algorithm": "ecdsa-p256" | "ecdsa-p384" |
 * "ecdsa-p521" | "rsa2048" | "rsa3072" | "rsa4096", "pin": true (with a secret), "description":
 * "...", "parent", "rsa_parent"}. Without a PIN it is exempt from the counting of wrong ones, as
 * there are none.
 */
#include <string.h>

#include <keystile/cleanup.h>

#include "admin.h"

static const struct {
	const char *name;
	TPMI_ALG_PUBLIC type;
	UINT16 size; /* curve, or bits of the modulus */
} algorithms[] = {
	{"ecdsa-p256", TPM2_ALG_ECC, TPM2_ECC_NIST_P256},
	{"ecdsa-p384", TPM2_ALG_ECC, TPM2_ECC_NIST_P384},
	{"ecdsa-p521", TPM2_ALG_ECC, TPM2_ECC_NIST_P521},
	{"rsa2048", TPM2_ALG_RSA, 2048},
	{"rsa3072", TPM2_ALG_RSA, 3072},
	{"rsa4096", TPM2_ALG_RSA, 4096},
};

#define ATTRIBUTES                                                                                 \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT)

struct creation {
	TPM2B_PUBLIC template;
	TPM2B_SENSITIVE_CREATE sensitive;
	TPM2B_PUBLIC *public;
	TPM2B_PRIVATE *private;
	bool sha512; /* the TPM has it */
};

static enum ks_error fill_template(const struct admin *admin, TPM2B_PUBLIC *out)
{
	const char *name = admin_text(admin, "algorithm");
	TPMT_PUBLIC *area = &out->publicArea;

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (strcmp(algorithms[i].name, name) != 0)
			continue;
		area->type = algorithms[i].type;
		area->nameAlg = TPM2_ALG_SHA256;
		area->objectAttributes = ATTRIBUTES;
		if (area->type == TPM2_ALG_ECC) {
			area->parameters.eccDetail.curveID = algorithms[i].size;
			area->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
			area->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
			area->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
		} else {
			area->parameters.rsaDetail.keyBits = algorithms[i].size;
			area->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
			area->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
		}
		return KS_OK;
	}
	ks_explain(admin->operation, "a TPM makes keys of the kinds ecdsa-p256, ecdsa-p384, "
				     "ecdsa-p521, rsa2048, rsa3072 and rsa4096");
	return KS_BAD_INPUT;
}

static bool has_algorithm(ESYS_CONTEXT *esys, TPM2_ALG_ID algorithm)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	bool found = false;

	if (Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_ALGS,
		    algorithm, 1, &more, &data) == TSS2_RC_SUCCESS)
		found = data->data.algorithms.count > 0 &&
			data->data.algorithms.algProperties[0].alg == algorithm;
	Esys_Free(data);
	return found;
}

/* The PIN is in the first parameter, which the session encrypts. */
static TSS2_RC create(struct admin *admin, void *context)
{
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	struct creation *creation = context;
	struct held *held = &admin->held;
	TPMT_PUBLIC *area = &creation->template.publicArea;

	/* ssh wants SHA-512 of RSA keys: where the TPM lacks it, we pad and it decrypts. */
	if (area->type == TPM2_ALG_RSA && !has_algorithm(held->tpm.esys, TPM2_ALG_SHA512))
		area->objectAttributes |= TPMA_OBJECT_DECRYPT;
	return Esys_Create(held->tpm.esys, held->parent, held->session, ESYS_TR_NONE, ESYS_TR_NONE,
		&creation->sensitive, &creation->template, &outside, &pcrs, &creation->private,
		&creation->public, NULL, NULL, NULL);
}

/* Whoever answered: a key that is not what was wanted is not handed on. */
static bool is_as_wanted(const struct creation *creation)
{
	const TPMT_PUBLIC *wanted = &creation->template.publicArea;
	const TPMT_PUBLIC *made = &creation->public->publicArea;

	if (made->type != wanted->type || made->nameAlg != wanted->nameAlg ||
		made->objectAttributes != wanted->objectAttributes || made->authPolicy.size != 0)
		return false;
	if (made->type == TPM2_ALG_ECC)
		return made->parameters.eccDetail.curveID == wanted->parameters.eccDetail.curveID;
	return made->parameters.rsaDetail.keyBits == wanted->parameters.rsaDetail.keyBits &&
	       made->parameters.rsaDetail.exponent == wanted->parameters.rsaDetail.exponent;
}

static enum ks_error put_result(
	struct admin *admin, const struct creation *creation, const struct tpm_parent *parent)
{
	const char *description = admin_text(admin, "description");
	AUTO(text) copy = *description != '\0' ? strdup(description) : NULL;
	const struct tpm_key_file file = {.kind = TPM_KEY_LOADABLE,
		.empty_auth = creation->sensitive.sensitive.userAuth.size == 0,
		.rsa_parent = tpm_parent_is_hierarchy(parent->handle) &&
			      parent->template == TPM_TEMPLATE_RSA_2048,
		.parent = parent->handle,
		.public = *creation->public,
		.private = *creation->private,
		.description = copy};

	if (is_as_wanted(creation))
		return admin_put_file(admin, &file);
	ks_explain(admin->operation, "the TPM made another key than the one that was wanted");
	return KS_DEVICE_FAILED;
}

enum ks_error admin_create(struct admin *admin)
{
	struct creation creation = {0};
	TPM2B_AUTH *pin = &creation.sensitive.sensitive.userAuth;
	struct tpm_parent parent;
	enum ks_error error = fill_template(admin, &creation.template);

	if (error == KS_OK)
		error = admin_parent(admin, &parent);
	if (error == KS_OK)
		error = admin_new_pin(admin, "pin", pin);
	if (error == KS_OK && pin->size == 0)
		creation.template.publicArea.objectAttributes |= TPMA_OBJECT_NODA;
	if (error == KS_OK && creation.template.publicArea.type == TPM2_ALG_RSA)
		ks_progress(admin->operation,
			"the TPM makes an RSA key: that may take a minute or two");
	if (error == KS_OK)
		error = admin_run(admin, &(struct admin_use){.run = create,
						 .context = &creation,
						 .parent = &parent,
						 .command = "TPM2_Create"});
	if (error == KS_UNSUPPORTED)
		ks_explain(admin->operation,
			"the TPM does not have keys of the kind %s: keystile tpm info shows which "
			"it has",
			admin_text(admin, "algorithm"));
	if (error == KS_OK)
		error = put_result(admin, &creation, &parent);
	explicit_bzero(pin, sizeof(*pin));
	Esys_Free(creation.public);
	Esys_Free(creation.private);
	return error;
}
