/*
 * Another PIN for a key: {"file": "...", "pin": true (with a secret) or false for none, "has_pin",
 * "has_none"}. The key stays the same; the answer has the new file, and "uncounted" where wrong
 * PINs of this key are not counted. The old file goes on working with the old PIN, wherever there
 * is a copy of it.
 */
#include <string.h>

#include <keystile/cleanup.h>

#include "admin.h"

struct change {
	TPM2B_AUTH to;
	TPM2B_PRIVATE *private;
};

/* The new PIN is the first parameter, which the session encrypts. */
static TSS2_RC change_auth(struct admin *admin, struct tpm_key *key, void *context)
{
	struct change *change = context;
	struct held *held = &admin->held;

	return Esys_ObjectChangeAuth(held->tpm.esys, key->loaded, held->parent, held->session,
		ESYS_TR_NONE, ESYS_TR_NONE, &change->to, &change->private);
}

static enum ks_error put_result(
	struct admin *admin, const struct tpm_key *key, const struct change *change)
{
	AUTO(text) label = key->label[0] != '\0' ? strdup(key->label) : NULL;
	const struct tpm_key_file file = {.kind = TPM_KEY_LOADABLE,
		.empty_auth = change->to.size == 0,
		.rsa_parent = key->parent.template == TPM_TEMPLATE_RSA_2048,
		.parent = key->parent.handle,
		.public = key->public,
		.private = *change->private,
		.description = label};

	json_object_set_new(admin->answer, "uncounted", json_boolean(!key->counted));
	return admin_put_file(admin, &file);
}

static enum ks_error change_pin(struct admin *admin, struct tpm_key *key)
{
	struct change change = {0};
	TPM2B_AUTH now = {0};
	const struct admin_key_use use = {.run = change_auth,
		.context = &change,
		.auth = &now,
		.command = "TPM2_ObjectChangeAuth"};
	enum ks_error error = admin_new_pin(admin, "pin", &change.to);

	if (error == KS_OK)
		error = admin_pin_of(admin, key, &now);
	if (error == KS_OK)
		error = admin_run_key(admin, key, &use);
	if (error == KS_OK)
		error = put_result(admin, key, &change);
	explicit_bzero(&change.to, sizeof(change.to));
	explicit_bzero(&now, sizeof(now));
	Esys_Free(change.private);
	return error;
}

enum ks_error admin_passwd(struct admin *admin)
{
	struct tpm_key key;
	enum ks_error error;

	if (json_object_get(admin->request, "handle") != NULL)
		return admin_passwd_persistent(admin);
	error = admin_key(admin, &key);
	if (error != KS_OK)
		return error;
	error = change_pin(admin, &key);
	held_release(&admin->held); /* holds the key */
	tpm_key_deinit(&key);
	return error;
}
