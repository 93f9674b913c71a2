/*
 * The first time a parent is seen its name is written down; later it has to be that one. The name
 * is a digest of the public part, which for a key that the TPM derives never changes until its
 * owner clears the TPM.
 */
#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "parent.h"
#include "remembered.h"

static char *file_of(const char *state_folder, const char *tcti, const struct tpm_parent *parent)
{
	bool hierarchy = tpm_parent_is_hierarchy(parent->handle);
	AUTO(text)
	about = text_format("%s %08x %s", tcti, (unsigned)parent->handle,
		hierarchy ? tpm_template_name(parent->template) : "");

	return about != NULL ? remembered_file(state_folder, "parent", bytes_of(about)) : NULL;
}

static enum ks_error compare(
	struct ks_operation *operation, const char *file, const TPM2B_NAME *name)
{
	char hex[2 * sizeof(name->name) + 1];
	AUTO(buf) known = {0};
	enum ks_error error;

	text_hex(BYTES(name->name, name->size), hex);
	error = remembered_read(file, &known);
	if (error == KS_NO_KEY) {
		/* Where nothing can be written down it is said in the log, each time. */
		if (remembered_write(file, bytes_of(hex)) != KS_OK)
			log_warning("the TPM's storage key is not remembered: another one would "
				    "not be noticed");
		return KS_OK;
	}
	if (error == KS_OK && bytes_equal_text(buf_bytes(&known), hex))
		return KS_OK;
	ks_explain(operation,
		"the TPM's storage key is another one than the first time. If the TPM was cleared "
		"or "
		"exchanged, remove %s; if not, somebody may sit between this computer and its TPM",
		file);
	return KS_NOT_ALLOWED;
}

enum ks_error tpm_parent_check_name(struct ks_operation *operation, ESYS_CONTEXT *esys,
	const char *state_folder, const char *tcti, const struct tpm_parent *parent, ESYS_TR loaded)
{
	AUTO(text) file = state_folder != NULL ? file_of(state_folder, tcti, parent) : NULL;
	TPM2B_NAME *name = NULL;
	enum ks_error error = KS_NO_MEMORY;

	if (state_folder == NULL)
		return KS_OK; /* said when the provider was opened */
	if (file != NULL && Esys_TR_GetName(esys, loaded, &name) == TSS2_RC_SUCCESS)
		error = compare(operation, file, name);
	Esys_Free(name);
	return error;
}
