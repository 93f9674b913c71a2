/*
 * Parent, session, key: in this order, since the session is salted to the parent and the key is
 * loaded in the session.
 */
#include "load.h"

#include <keystile/cleanup.h>

#include "key_blob.h"
#include "session.h"

static bool same_parent(const struct tpm_parent *a, const struct tpm_parent *b)
{
	return a->handle == b->handle &&
	       (!tpm_parent_is_hierarchy(a->handle) || a->template == b->template);
}

static const TPM2B_AUTH *parent_auth(const struct held *held)
{
	return held->settings->parent_auth.size > 0 ? &held->settings->parent_auth : NULL;
}

/* The parent, with a name that is the one of the first time. */
static struct tpm_step load_parent(
	struct held *held, struct ks_operation *operation, const struct tpm_parent *parent)
{
	struct tpm_step step = {.command = "TPM2_CreatePrimary"};
	ESYS_CONTEXT *esys = held->tpm.esys;

	if (held->parent != ESYS_TR_NONE && same_parent(&held->parent_is, parent))
		return step;
	if (held->parent != ESYS_TR_NONE)
		tpm_parent_drop(esys, &held->parent_is, &held->parent);
	if (!tpm_parent_is_hierarchy(parent->handle))
		step.command = "TPM2_ReadPublic of the parent";
	step.code = tpm_parent_load(esys, parent, parent_auth(held), &held->parent);
	if (step.code != TSS2_RC_SUCCESS)
		return step;
	held->parent_is = *parent;
	step.error = tpm_parent_check_name(operation, esys, held->settings->state_folder,
		held->settings->tcti, parent, held->parent);
	if (step.error != KS_OK)
		tpm_parent_drop(esys, parent, &held->parent);
	return step;
}

struct tpm_step load_session(
	struct held *held, struct ks_operation *operation, const struct tpm_parent *parent)
{
	struct tpm_step step = {.command = "TPM2_StartAuthSession"};

	if (held->session != ESYS_TR_NONE)
		return step;
	step = load_parent(held, operation, parent);
	if (step.code != TSS2_RC_SUCCESS || step.error != KS_OK)
		return step;
	step.command = "TPM2_StartAuthSession";
	step.of_parent = true;
	step.code = tpm_session_start(held->tpm.esys, held->parent, &held->session);
	held->spoilt = step.code != TSS2_RC_SUCCESS;
	return step;
}

/* The one that was not used for longest makes room; there is a place then. */
static struct tpm_key **place_for(struct held *held)
{
	struct tpm_key **oldest = &held->keys[0];

	for (size_t i = 0; i < HELD_KEYS; i++) {
		if (held->keys[i] == NULL)
			return &held->keys[i];
		if (held->keys[i]->used < (*oldest)->used)
			oldest = &held->keys[i];
	}
	held_drop_key(held, *oldest);
	return oldest;
}

static bool wrong_ones_count(struct held *held)
{
	TPM2B_PUBLIC *public = NULL;
	bool count = true;

	if (Esys_ReadPublic(held->tpm.esys, held->parent, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		    &public, NULL, NULL) == TSS2_RC_SUCCESS)
		count = (public->publicArea.objectAttributes & TPMA_OBJECT_NODA) == 0;
	Esys_Free(public);
	return count;
}

/* One that was wrong is not sent again, and one that may be wrong not as the last try. */
static enum ks_error guard_parent_auth(
	struct held *held, struct ks_operation *operation, const struct tpm_parent *parent)
{
	struct tpm_lockout lockout;

	if (held->parent_took == parent->handle)
		return KS_OK;
	if (held->parent_refused == parent->handle) {
		ks_explain(operation, "the TPM refused the authorisation value for the parent of "
				      "this key, and it is not tried again: put it right, and "
				      "load the provider anew");
		return KS_NOT_ALLOWED;
	}
	if (!wrong_ones_count(held) ||
		tpm_lockout_read(held->tpm.esys, &lockout) != TSS2_RC_SUCCESS ||
		(!lockout.locked && lockout.failures + 1 < lockout.most))
		return KS_OK;
	ks_explain(operation, "one more wrong authorisation value would lock the TPM, so that for "
			      "the parent of this key is not tried");
	return KS_PIN_LAST_TRY;
}

static void note_parent_auth(
	struct held *held, const struct tpm_parent *parent, const struct tpm_step *step)
{
	const enum tpm_trouble trouble = tpm_trouble(step->code);

	if (trouble == TPM_FINE)
		held->parent_took = parent->handle;
	if (trouble == TPM_AUTH_COUNTED || trouble == TPM_AUTH_FREE) {
		held->parent_took = 0;
		held->parent_refused = parent->handle;
	}
}

/* One that was wrapped elsewhere is wrapped by our parent now; it lasts for this process. */
static struct tpm_step import(struct held *held, struct tpm_key *key)
{
	struct tpm_step step = {.command = "TPM2_Import"};
	const TPM2B_DATA no_key = {0};
	const TPMT_SYM_DEF_OBJECT no_cipher = {.algorithm = TPM2_ALG_NULL};
	TPM2B_PRIVATE *wrapped = NULL;

	step.of_parent = true;
	if (!key->importable)
		return step;
	step.code =
		Esys_Import(held->tpm.esys, held->parent, held->session, ESYS_TR_NONE, ESYS_TR_NONE,
			&no_key, &key->public, &key->private, &key->seed, &no_cipher, &wrapped);
	if (step.code != TSS2_RC_SUCCESS)
		return step;
	key->private = *wrapped;
	key->importable = false;
	Esys_Free(wrapped);
	return step;
}

static struct tpm_step load_under(struct held *held, struct ks_operation *operation,
	struct tpm_key *key, const struct tpm_parent *parent)
{
	struct tpm_step step = load_parent(held, operation, parent);
	const bool own_auth = !tpm_parent_is_hierarchy(parent->handle);

	if (step.code == TSS2_RC_SUCCESS && step.error == KS_OK)
		step = load_session(held, operation, parent);
	if (step.code != TSS2_RC_SUCCESS || step.error != KS_OK)
		return step;
	if (own_auth)
		step.error = guard_parent_auth(held, operation, parent);
	if (step.error != KS_OK)
		return step;
	if (own_auth)
		(void)Esys_TR_SetAuth(held->tpm.esys, held->parent, parent_auth(held));
	step = import(held, key);
	if (step.code == TSS2_RC_SUCCESS) {
		struct tpm_key **place = place_for(held);

		step.command = "TPM2_Load";
		step.code = Esys_Load(held->tpm.esys, held->parent, held->session, ESYS_TR_NONE,
			ESYS_TR_NONE, &key->private, &key->public, &key->loaded);
		if (step.code == TSS2_RC_SUCCESS)
			*place = key;
		else
			key->loaded = ESYS_TR_NONE;
	}
	if (own_auth) {
		tpm_clear_auth(held->tpm.esys, held->parent);
		note_parent_auth(held, parent, &step);
	}
	return step;
}

/* A key file does not say which template its parent was made from: the usual one, then the others.
 */
static struct tpm_step load_file_key(
	struct held *held, struct ks_operation *operation, struct tpm_key *key)
{
	struct tpm_parent parent = key->parent;
	struct tpm_step first = load_under(held, operation, key, &parent);
	struct tpm_step step = first;

	if (!tpm_parent_is_hierarchy(parent.handle))
		return first;
	for (unsigned i = 0; i < TPM_TEMPLATE_COUNT; i++) {
		if (step.error != KS_OK || tpm_trouble(step.code) != TPM_FOREIGN)
			break;
		parent.template = (enum tpm_template)i;
		if (parent.template != key->parent.template)
			step = load_under(held, operation, key, &parent);
	}
	if (step.code == TSS2_RC_SUCCESS && step.error == KS_OK)
		key->parent.template = parent.template;
	else if (tpm_trouble(first.code) == TPM_FOREIGN && tpm_trouble(step.code) == TPM_LACKS)
		return first;
	return step;
}

static bool same_key(ESYS_CONTEXT *esys, const struct tpm_key *key)
{
	TPM2B_PUBLIC *public = NULL;
	AUTO(buf) blob = {0};
	bool same = false;

	if (Esys_ReadPublic(esys, key->loaded, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
		    NULL, NULL) == TSS2_RC_SUCCESS)
		same = tpm_key_blob(&public->publicArea, &blob) == KS_OK &&
		       bytes_equal(buf_bytes(&blob), buf_bytes(&key->blob));
	Esys_Free(public);
	return same;
}

static struct tpm_step find_persistent(
	struct held *held, struct ks_operation *operation, struct tpm_key *key)
{
	struct tpm_step step = load_session(held, operation, &key->parent);
	struct tpm_key **place;

	if (step.code != TSS2_RC_SUCCESS || step.error != KS_OK)
		return step;
	place = place_for(held);
	step.command = "TPM2_ReadPublic";
	step.code = Esys_TR_FromTPMPublic(held->tpm.esys, key->persistent, ESYS_TR_NONE,
		ESYS_TR_NONE, ESYS_TR_NONE, &key->loaded);
	if (step.code != TSS2_RC_SUCCESS) {
		key->loaded = ESYS_TR_NONE;
		return step;
	}
	if (same_key(held->tpm.esys, key)) {
		*place = key;
		return step;
	}
	tpm_forget(held->tpm.esys, &key->loaded);
	ks_explain(
		operation, "another key is at %s by now: load the provider again", key->location);
	step.error = KS_NO_KEY;
	return step;
}

struct tpm_step load_key(struct held *held, struct ks_operation *operation, struct tpm_key *key)
{
	if (key->loaded == ESYS_TR_NONE && key->persistent != 0)
		return find_persistent(held, operation, key);
	if (key->loaded == ESYS_TR_NONE)
		return load_file_key(held, operation, key);
	return load_session(held, operation, &key->parent);
}
