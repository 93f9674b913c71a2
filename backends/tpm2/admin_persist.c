/*
 * Keys that stay in the TPM: {"file": "...", "handle": "0x81......", "owner_pin"} puts one there,
 * {"handle": "...", "force", "owner_pin"} takes one out. The owner of the TPM has to agree, whose
 * authorisation value is most often empty.
 */
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "session.h"

struct eviction {
	TPM2_HANDLE handle;
	TPM2B_AUTH owner;
	bool force;
	bool is_taken; /* by another object */
	bool is_missing;
	bool is_refused; /* by the owner */
	bool is_storage; /* and was not forced: left where it is */
};

enum ks_error admin_handle(const struct admin *admin, TPM2_HANDLE *out)
{
	const char *text = admin_text(admin, "handle");
	char *end = NULL;
	unsigned long handle = strtoul(text, &end, 16);

	*out = (TPM2_HANDLE)handle;
	if (strncmp(text, "0x", 2) == 0 && *end == '\0' && handle >= TPM_PERSISTENT_FIRST &&
		handle <= ADMIN_OWNER_LAST)
		return KS_OK;
	ks_explain(admin->operation, "a handle is from 0x%08x to 0x%08x", TPM_PERSISTENT_FIRST,
		ADMIN_OWNER_LAST);
	return KS_BAD_INPUT;
}

TSS2_RC admin_evict_control(
	struct admin *admin, const TPM2B_AUTH *owner, ESYS_TR object, TPM2_HANDLE handle)
{
	ESYS_CONTEXT *esys = admin->held.tpm.esys;
	ESYS_TR moved = ESYS_TR_NONE;
	TSS2_RC code = Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, owner);

	if (code == TSS2_RC_SUCCESS)
		code = Esys_EvictControl(esys, ESYS_TR_RH_OWNER, object, admin->held.session,
			ESYS_TR_NONE, ESYS_TR_NONE, handle, &moved);
	tpm_clear_auth(esys, ESYS_TR_RH_OWNER);
	if (code == TSS2_RC_SUCCESS && moved != ESYS_TR_NONE)
		tpm_forget(esys, &moved);
	return code;
}

bool admin_is_taken(TSS2_RC code)
{
	return (code & ~TSS2_RC_LAYER_MASK) == TPM2_RC_NV_DEFINED;
}

static TSS2_RC evict_control(struct admin *admin, ESYS_TR object, struct eviction *eviction)
{
	TSS2_RC code = admin_evict_control(admin, &eviction->owner, object, eviction->handle);

	eviction->is_refused = admin_is_refusal(code);
	eviction->is_taken = admin_is_taken(code);
	return code;
}

/* The storage key of the owner's hierarchy is made by the owner, too. */
static void take_owner_for_parent(
	struct admin *admin, const struct eviction *eviction, TPM2_HANDLE parent)
{
	if (parent == TPM2_RH_OWNER && eviction->owner.size > 0)
		admin->settings.parent_auth = eviction->owner;
}

/* ---- In ---- */

static TSS2_RC persist(struct admin *admin, struct tpm_key *key, void *context)
{
	return evict_control(admin, key->loaded, context);
}

static enum ks_error put_key(struct admin *admin, struct eviction *eviction)
{
	const TPM2B_AUTH none = {0};
	const struct admin_key_use use = {
		.run = persist, .context = eviction, .auth = &none, .command = "TPM2_EvictControl"};
	struct tpm_key key;
	enum ks_error error = admin_key(admin, &key);

	if (error != KS_OK)
		return error;
	take_owner_for_parent(admin, eviction, key.parent.handle);
	error = admin_run_key(admin, &key, &use);
	held_release(&admin->held); /* holds the key */
	if (error == KS_OK)
		error = admin_put_public(admin->answer, &key.public.publicArea);
	tpm_key_deinit(&key);
	return error;
}

enum ks_error admin_persist(struct admin *admin)
{
	struct eviction eviction = {0};
	enum ks_error error = admin_handle(admin, &eviction.handle);

	if (error == KS_OK)
		error = admin_new_pin(admin, "owner_pin", &eviction.owner);
	if (error == KS_OK)
		error = put_key(admin, &eviction);
	if (error != KS_OK && eviction.is_refused)
		admin_explain_password(admin, "--owner-password");
	if (eviction.is_taken)
		ks_explain(admin->operation, "something is at that handle already");
	explicit_bzero(&eviction, sizeof(eviction));
	return error;
}

/* ---- Out ---- */

static bool is_storage_key(ESYS_CONTEXT *esys, ESYS_TR object)
{
	const TPMA_OBJECT storage = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	TPM2B_PUBLIC *public = NULL;
	bool is = Esys_ReadPublic(esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
			  NULL, NULL) == TSS2_RC_SUCCESS &&
		  (public->publicArea.objectAttributes & storage) == storage;

	Esys_Free(public);
	return is;
}

static TSS2_RC evict(struct admin *admin, void *context)
{
	struct eviction *eviction = context;
	ESYS_CONTEXT *esys = admin->held.tpm.esys;
	ESYS_TR object = ESYS_TR_NONE;
	TSS2_RC code = Esys_TR_FromTPMPublic(
		esys, eviction->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);

	eviction->is_missing = tpm_trouble(code) == TPM_OBJECT_GONE;
	if (code != TSS2_RC_SUCCESS)
		return eviction->is_missing ? TSS2_RC_SUCCESS : code;
	eviction->is_storage = !eviction->force && is_storage_key(esys, object);
	if (!eviction->is_storage)
		code = evict_control(admin, object, eviction);
	tpm_forget(esys, &object);
	return code;
}

static enum ks_error take_out(struct admin *admin, struct eviction *eviction)
{
	const struct tpm_parent parent = {
		.handle = TPM2_RH_OWNER, .template = TPM_TEMPLATE_ECC_P256};
	enum ks_error error;

	take_owner_for_parent(admin, eviction, parent.handle);
	error = admin_run(admin, &(struct admin_use){.run = evict,
					 .context = eviction,
					 .parent = &parent,
					 .command = "TPM2_EvictControl",
					 .option = "--owner-password"});

	if (error == KS_OK && eviction->is_missing) {
		ks_explain(admin->operation, "nothing is at that handle");
		return KS_NO_KEY;
	}
	if (error != KS_OK || !eviction->is_storage)
		return error;
	ks_explain(admin->operation,
		"that is a storage key, without which the keys below it can't be "
		"used any more; --force takes it out all the same");
	return KS_NOT_ALLOWED;
}

enum ks_error admin_evict(struct admin *admin)
{
	struct eviction eviction = {.force = admin_flag(admin, "force")};
	enum ks_error error = admin_handle(admin, &eviction.handle);

	if (error == KS_OK)
		error = admin_new_pin(admin, "owner_pin", &eviction.owner);
	if (error == KS_OK)
		error = take_out(admin, &eviction);
	explicit_bzero(&eviction, sizeof(eviction));
	return error;
}
