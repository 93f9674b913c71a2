/*
 * What the TPM says of itself: {} gives manufacturer, firmware, kinds of keys and hashes, and how
 * it stands with wrong PINs.
 */
#include <stdio.h>
#include <string.h>

#include "admin.h"

#define VENDOR_TEXTS 4

struct facts {
	json_t *answer;
	struct tpm_lockout lockout;
	char manufacturer[5];
	char vendor[4 * VENDOR_TEXTS + 1];
	uint32_t firmware[2];
	uint32_t revision;
};

struct name {
	uint32_t number;
	const char *words;
};

static const struct name hashes[] = {{TPM2_ALG_SHA1, "sha1"}, {TPM2_ALG_SHA256, "sha256"},
	{TPM2_ALG_SHA384, "sha384"}, {TPM2_ALG_SHA512, "sha512"}};
static const struct name curves[] = {{TPM2_ECC_NIST_P256, "ecdsa-p256"},
	{TPM2_ECC_NIST_P384, "ecdsa-p384"}, {TPM2_ECC_NIST_P521, "ecdsa-p521"}};
static const struct name moduli[] = {{2048, "rsa2048"}, {3072, "rsa3072"}, {4096, "rsa4096"}};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Four characters in a number, as part 2 section 6.13 has them; the rest is padding. */
static void put_characters(uint32_t value, char out[static 5])
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned byte = value >> (24 - 8 * i) & 0xff;

		out[i] = byte >= 0x20 && byte < 0x7f ? (char)byte : '\0';
	}
	out[4] = '\0';
}

static void take_property(struct facts *facts, const TPMS_TAGGED_PROPERTY *property)
{
	char text[5];

	switch (property->property) {
	case TPM2_PT_MANUFACTURER:
		put_characters(property->value, facts->manufacturer);
		break;
	case TPM2_PT_VENDOR_STRING_1:
	case TPM2_PT_VENDOR_STRING_2:
	case TPM2_PT_VENDOR_STRING_3:
	case TPM2_PT_VENDOR_STRING_4:
		put_characters(property->value, text);
		strncat(facts->vendor, text, sizeof(facts->vendor) - strlen(facts->vendor) - 1);
		break;
	case TPM2_PT_FIRMWARE_VERSION_1:
		facts->firmware[0] = property->value;
		break;
	case TPM2_PT_FIRMWARE_VERSION_2:
		facts->firmware[1] = property->value;
		break;
	case TPM2_PT_REVISION:
		facts->revision = property->value;
		break;
	default:
		break;
	}
}

static TSS2_RC ask(ESYS_CONTEXT *esys, TPM2_CAP capability, uint32_t first, uint32_t count,
	TPMS_CAPABILITY_DATA **out)
{
	TPMI_YES_NO more;

	*out = NULL;
	return Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, capability, first,
		count, &more, out);
}

static TSS2_RC read_properties(ESYS_CONTEXT *esys, struct facts *facts)
{
	TPMS_CAPABILITY_DATA *data;
	TSS2_RC code = ask(esys, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FIXED, 64, &data);

	for (UINT32 i = 0; code == TSS2_RC_SUCCESS && i < data->data.tpmProperties.count &&
			   i < TPM2_MAX_TPM_PROPERTIES;
		i++)
		take_property(facts, &data->data.tpmProperties.tpmProperty[i]);
	Esys_Free(data);
	return code;
}

static void append_name(json_t *list, const struct name *names, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].number == number)
			json_array_append_new(list, json_string(names[i].words));
}

static TSS2_RC list_curves(ESYS_CONTEXT *esys, json_t *kinds)
{
	TPMS_CAPABILITY_DATA *data;
	TSS2_RC code = ask(esys, TPM2_CAP_ECC_CURVES, 0, TPM2_MAX_ECC_CURVES, &data);

	for (UINT32 i = 0; code == TSS2_RC_SUCCESS && i < data->data.eccCurves.count &&
			   i < TPM2_MAX_ECC_CURVES;
		i++)
		append_name(kinds, curves, COUNT(curves), data->data.eccCurves.eccCurves[i]);
	Esys_Free(data);
	return code;
}

/* A size that it does not have is an answer, not a failure. */
static void list_moduli(ESYS_CONTEXT *esys, json_t *kinds)
{
	for (size_t i = 0; i < COUNT(moduli); i++) {
		TPMT_PUBLIC_PARMS wanted = {.type = TPM2_ALG_RSA};

		wanted.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
		wanted.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
		wanted.parameters.rsaDetail.keyBits = (UINT16)moduli[i].number;
		if (Esys_TestParms(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted) ==
			TSS2_RC_SUCCESS)
			json_array_append_new(kinds, json_string(moduli[i].words));
	}
}

static TSS2_RC list_hashes(ESYS_CONTEXT *esys, json_t *list)
{
	TPMS_CAPABILITY_DATA *data;
	TSS2_RC code = ask(esys, TPM2_CAP_ALGS, TPM2_ALG_SHA1, TPM2_MAX_CAP_ALGS, &data);

	for (UINT32 i = 0;
		code == TSS2_RC_SUCCESS && i < data->data.algorithms.count && i < TPM2_MAX_CAP_ALGS;
		i++)
		append_name(
			list, hashes, COUNT(hashes), data->data.algorithms.algProperties[i].alg);
	Esys_Free(data);
	return code;
}

static json_t *new_list(json_t *object, const char *name)
{
	json_t *list = json_array();

	json_object_set_new(object, name, list);
	return list;
}

static TSS2_RC read_facts(struct held *held, struct tpm_key *key, void *context)
{
	struct facts *facts = context;
	ESYS_CONTEXT *esys = held->tpm.esys;
	json_t *kinds = new_list(facts->answer, "kinds");
	TSS2_RC code = read_properties(esys, facts);

	(void)key;
	if (code == TSS2_RC_SUCCESS)
		code = tpm_lockout_read(esys, &facts->lockout);
	if (code == TSS2_RC_SUCCESS)
		code = list_curves(esys, kinds);
	if (code == TSS2_RC_SUCCESS)
		list_moduli(esys, kinds);
	if (code == TSS2_RC_SUCCESS)
		code = list_hashes(esys, new_list(facts->answer, "hashes"));
	return code;
}

static enum ks_error put_facts(const struct facts *facts)
{
	char firmware[48], revision[16];

	snprintf(firmware, sizeof(firmware), "%u.%u.%u.%u", facts->firmware[0] >> 16,
		facts->firmware[0] & 0xffff, facts->firmware[1] >> 16, facts->firmware[1] & 0xffff);
	snprintf(revision, sizeof(revision), "%u.%02u", facts->revision / 100,
		facts->revision % 100);

	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:{s:i, s:i, s:i, s:b}}", "manufacturer",
		facts->manufacturer, "vendor", facts->vendor, "firmware", firmware, "revision",
		revision, "lockout", "failures", (int)facts->lockout.failures, "most",
		(int)facts->lockout.most, "interval_seconds", (int)facts->lockout.interval_s,
		"locked", (int)facts->lockout.locked);
	int failed = object == NULL ? -1 : json_object_update(facts->answer, object);

	json_decref(object);
	return failed == 0 ? KS_OK : KS_NO_MEMORY;
}

enum ks_error admin_info(struct admin *admin)
{
	struct facts facts = {.answer = admin->answer};
	const struct tpm_use use = {
		.run = read_facts, .context = &facts, .command = "TPM2_GetCapability"};
	enum tpm_trouble trouble;
	enum ks_error error = held_ask(&admin->held, admin->operation, &use, &trouble);

	return error == KS_OK ? put_facts(&facts) : error;
}
