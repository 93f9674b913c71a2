/*
 * Keys: {"files": [{"path": "...", "text": "..."}, ...]} is answered by "files", what each of them
 * holds, in the same order, and "persistent", what is in the TPM itself; "trouble" says why nothing
 * is known of that.
 */
#include <stdio.h>
#include <string.h>

#include <keystile/text.h>

#include <keystile/cleanup.h>

#include "admin.h"

#define HANDLES_MAX 64

static const char *parent_name(TPM2_HANDLE parent, char text[static 16])
{
	switch (parent) {
	case TPM2_RH_OWNER:
		return "owner";
	case TPM2_RH_ENDORSEMENT:
		return "endorsement";
	case TPM2_RH_PLATFORM:
		return "platform";
	case TPM2_RH_NULL:
		return "null";
	default:
		snprintf(text, 16, "0x%08x", (unsigned)parent);
		return text;
	}
}

static void put_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, json_string(text));
}

/* ---- Files ---- */

static void describe_file(json_t *out, struct bytes text)
{
	struct tpm_key_file file;
	const char *wrong = NULL;
	char parent[16];

	if (tpm_key_file_parse(text, &file, &wrong) != KS_OK) {
		put_text(out, "wrong", wrong);
		return;
	}
	if (admin_put_public(out, &file.public.publicArea) != KS_OK)
		put_text(out, "wrong", "holds a kind or size of key that SSH does not use");
	put_text(out, "parent", parent_name(file.parent, parent));
	put_text(out, "description", file.description != NULL ? file.description : "");
	json_object_set_new(out, "importable", json_boolean(file.kind == TPM_KEY_IMPORTABLE));
	json_object_set_new(out, "pin", json_boolean(!file.empty_auth));
	json_object_set_new(out, "counted",
		json_boolean((file.public.publicArea.objectAttributes & TPMA_OBJECT_NODA) == 0));
	tpm_key_file_deinit(&file);
}

static json_t *describe_files(const struct admin *admin)
{
	json_t *list = json_array();
	const json_t *files = json_object_get(admin->request, "files");

	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *one = json_array_get(files, i);
		json_t *out = json_object();

		json_object_set(out, "path", json_object_get(one, "path"));
		describe_file(out, bytes_of(json_string_value(json_object_get(one, "text"))));
		json_array_append_new(list, out);
	}
	return list;
}

/* ---- In the TPM ---- */

static json_t *describe_object(ESYS_CONTEXT *esys, TPM2_HANDLE handle)
{
	const TPMA_OBJECT storage = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	TPM2B_PUBLIC *public = NULL;
	ESYS_TR object = ESYS_TR_NONE;
	json_t *out = json_object();
	char text[16];

	put_text(out, "handle", parent_name(handle, text));
	if (Esys_TR_FromTPMPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		    &object) == TSS2_RC_SUCCESS &&
		Esys_ReadPublic(esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
			NULL, NULL) == TSS2_RC_SUCCESS) {
		TPMA_OBJECT attributes = public->publicArea.objectAttributes;

		put_text(out, "use",
			(attributes & storage) == storage		      ? "storage"
			: (attributes & TPMA_OBJECT_RESTRICTED) != 0	      ? "restricted"
			: admin_put_public(out, &public->publicArea) == KS_OK ? "ssh"
									      : "other");
	} else {
		put_text(out, "use", "other");
	}
	Esys_Free(public);
	tpm_forget(esys, &object);
	return out;
}

static TSS2_RC list_objects(struct held *held, struct tpm_key *key, void *context)
{
	ESYS_CONTEXT *esys = held->tpm.esys;
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC code = Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		TPM2_CAP_HANDLES, TPM_PERSISTENT_FIRST, HANDLES_MAX, &more, &data);

	(void)key;
	json_array_clear(context);
	for (UINT32 i = 0;
		code == TSS2_RC_SUCCESS && i < data->data.handles.count && i < TPM2_MAX_CAP_HANDLES;
		i++)
		json_array_append_new(context, describe_object(esys, data->data.handles.handle[i]));
	Esys_Free(data);
	return code;
}

enum ks_error admin_list(struct admin *admin)
{
	json_t *objects = json_array();
	const struct tpm_use use = {
		.run = list_objects, .context = objects, .command = "TPM2_GetCapability"};
	enum tpm_trouble trouble;
	enum ks_error error = held_ask(&admin->held, admin->operation, &use, &trouble);

	/* Files can be looked at without a TPM. */
	if (error == KS_CANCELLED)
		return error;
	if (error != KS_OK)
		put_text(admin->answer, "trouble", ks_error_text(error));
	json_object_set_new(admin->answer, "persistent", objects);
	json_object_set_new(admin->answer, "files", describe_files(admin));
	return KS_OK;
}
