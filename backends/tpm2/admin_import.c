/*
 * Keys from outside. Each takes the private key as its first secret, as it stands in message 17,
 *then the PIN where "pin" is true; "description", "parent" and "rsa_parent" are as in create.
 *
 *	import		into this TPM
 *	wrap		for the TPM whose storage key's public part is "storage_key" (TPM2B_PUBLIC
 *in base64) storage-key	gives that of this TPM, and its "name", which is a digest of it
 */
#include <string.h>

#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "admin.h"
#include "duplicate.h"

struct outsider {
	TPM2B_PUBLIC public;
	TPM2B_SENSITIVE sensitive;
	bool has_pin;
	struct duplicate wrapped;
	TPM2B_PRIVATE *imported;
	enum ks_error error; /* of the wrapping */
};

static enum ks_error take_key(struct admin *admin, struct outsider *outsider)
{
	struct reader in = reader_of(reader_string(&admin->secrets));
	struct private_key key = {0};
	const char *wrong = "can't be read";
	TPM2B_AUTH pin = {0};
	enum ks_error error = private_key_read(&in, &key);

	if (error == KS_OK)
		error = reader_end(&in);
	if (error == KS_OK)
		error = admin_new_pin(admin, "pin", &pin);
	if (error == KS_OK) {
		error = duplicate_parts(
			&key, &pin, &outsider->public, &outsider->sensitive, &wrong);
		if (error != KS_OK)
			ks_explain(admin->operation, "the key %s", wrong);
	}
	outsider->has_pin = pin.size > 0;
	explicit_bzero(&pin, sizeof(pin));
	return error;
}

static void outsider_deinit(struct outsider *outsider)
{
	Esys_Free(outsider->imported);
	explicit_bzero(outsider, sizeof(*outsider));
}

static enum ks_error put_file(
	struct admin *admin, const struct outsider *outsider, const struct tpm_key_file *shape)
{
	const char *description = admin_text(admin, "description");
	AUTO(text) copy = *description != '\0' ? strdup(description) : NULL;
	struct tpm_key_file file = *shape;

	file.empty_auth = !outsider->has_pin;
	file.public = outsider->public;
	file.description = copy;
	return admin_put_file(admin, &file);
}

/* ---- Into this TPM ---- */

/* Encrypted to the parent all the way: nothing on the bus shows it, nor a session that is broken.
 */
static TSS2_RC import(struct admin *admin, void *context)
{
	const TPM2B_DATA no_key = {0};
	const TPMT_SYM_DEF_OBJECT no_cipher = {.algorithm = TPM2_ALG_NULL};
	struct outsider *outsider = context;
	struct held *held = &admin->held;
	TPM2B_PUBLIC *parent = NULL;
	TSS2_RC code = Esys_ReadPublic(held->tpm.esys, held->parent, held->session, ESYS_TR_NONE,
		ESYS_TR_NONE, &parent, NULL, NULL);

	if (code != TSS2_RC_SUCCESS)
		return code;
	outsider->error = duplicate_wrap(
		&parent->publicArea, &outsider->public, &outsider->sensitive, &outsider->wrapped);
	Esys_Free(parent);
	if (outsider->error != KS_OK)
		return TSS2_RC_SUCCESS;
	return Esys_Import(held->tpm.esys, held->parent, held->session, ESYS_TR_NONE, ESYS_TR_NONE,
		&no_key, &outsider->wrapped.public, &outsider->wrapped.private,
		&outsider->wrapped.seed, &no_cipher, &outsider->imported);
}

static enum ks_error import_key(struct admin *admin, struct outsider *outsider)
{
	struct tpm_parent parent;
	enum ks_error error = admin_parent(admin, &parent);

	if (error == KS_OK)
		error = take_key(admin, outsider);
	if (error == KS_OK)
		error = admin_run(admin, &(struct admin_use){.run = import,
						 .context = outsider,
						 .parent = &parent,
						 .command = "TPM2_Import"});
	if (error == KS_OK && outsider->error != KS_OK) {
		ks_explain(admin->operation, "the key can't be wrapped for that parent");
		return outsider->error;
	}
	if (error != KS_OK)
		return error;
	return put_file(admin, outsider,
		&(struct tpm_key_file){.kind = TPM_KEY_LOADABLE,
			.rsa_parent = tpm_parent_is_hierarchy(parent.handle) &&
				      parent.template == TPM_TEMPLATE_RSA_2048,
			.parent = parent.handle,
			.private = *outsider->imported});
}

enum ks_error admin_import(struct admin *admin)
{
	struct outsider outsider = {0};
	enum ks_error error = import_key(admin, &outsider);

	outsider_deinit(&outsider);
	return error;
}

/* ---- For another TPM ---- */

static enum ks_error read_target(struct admin *admin, TPM2B_PUBLIC *out)
{
	AUTO(buf) bytes = {0};
	enum ks_error error =
		admin_from_base64(json_object_get(admin->request, "storage_key"), &bytes);
	const char *wrong = "can't be read";
	size_t at = 0;

	*out = (TPM2B_PUBLIC){0};
	if (error == KS_OK &&
		Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes.data, bytes.len, &at, out) ==
			TSS2_RC_SUCCESS &&
		at == bytes.len)
		wrong = duplicate_target_wrong(&out->publicArea);
	if (wrong == NULL)
		return KS_OK;
	ks_explain(admin->operation, "the storage key is not right: it %s", wrong);
	return KS_BAD_INPUT;
}

static enum ks_error wrap_key(struct admin *admin, struct outsider *outsider)
{
	struct tpm_parent parent;
	TPM2B_PUBLIC target;
	enum ks_error error = read_target(admin, &target);

	if (error == KS_OK)
		error = admin_parent(admin, &parent);
	if (error == KS_OK)
		error = take_key(admin, outsider);
	if (error != KS_OK)
		return error;
	error = duplicate_wrap(
		&target.publicArea, &outsider->public, &outsider->sensitive, &outsider->wrapped);
	if (error != KS_OK) {
		ks_explain(admin->operation, "the key can't be wrapped for that storage key");
		return error;
	}
	return put_file(admin, outsider,
		&(struct tpm_key_file){.kind = TPM_KEY_IMPORTABLE,
			.rsa_parent = tpm_parent_is_hierarchy(parent.handle) &&
				      target.publicArea.type == TPM2_ALG_RSA,
			.parent = parent.handle,
			.private = outsider->wrapped.private,
			.secret = outsider->wrapped.seed});
}

enum ks_error admin_wrap(struct admin *admin)
{
	struct outsider outsider = {0};
	enum ks_error error = wrap_key(admin, &outsider);

	outsider_deinit(&outsider);
	return error;
}

/* ---- The public part of a storage key ---- */

struct storage {
	TPM2B_PUBLIC *public;
	TPM2B_NAME *name;
};

static TSS2_RC read_storage(struct admin *admin, void *context)
{
	struct storage *storage = context;

	return Esys_ReadPublic(admin->held.tpm.esys, admin->held.parent, admin->held.session,
		ESYS_TR_NONE, ESYS_TR_NONE, &storage->public, &storage->name, NULL);
}

static enum ks_error put_storage(struct admin *admin, const struct storage *storage)
{
	uint8_t bytes[sizeof(TPM2B_PUBLIC)];
	char name[2 * sizeof(storage->name->name) + 1];
	size_t len = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(storage->public, bytes, sizeof(bytes), &len) !=
		TSS2_RC_SUCCESS)
		return KS_DEVICE_FAILED;
	text_hex(BYTES(storage->name->name, storage->name->size), name);
	json_object_set_new(admin->answer, "name", json_string(name));
	json_object_set_new(admin->answer, "storage_key", admin_base64(BYTES(bytes, len)));
	return KS_OK;
}

enum ks_error admin_storage_key(struct admin *admin)
{
	struct storage storage = {0};
	struct tpm_parent parent;
	enum ks_error error = admin_parent(admin, &parent);

	if (error == KS_OK)
		error = admin_run(admin, &(struct admin_use){.run = read_storage,
						 .context = &storage,
						 .parent = &parent,
						 .command = "TPM2_ReadPublic"});
	if (error == KS_OK)
		error = put_storage(admin, &storage);
	Esys_Free(storage.public);
	Esys_Free(storage.name);
	return error;
}
