/*
 * Another PIN for a key that stays in the TPM: {"handle": "0x81......", "pin": true (with a secret)
 * or false for none, "has_pin", "has_none", "owner_pin", "parent", "rsa_parent"}. A TPM does not
 * change what is at a handle: it makes a new private area, which is loaded and put there instead.
 * So that no loss of power loses the key, the new one is put at a spare handle first; from then on
 * it is at one of the two in any case. The answer has "uncounted" as with files.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <keystile/cleanup.h>

#include "admin.h"

#define SPARE_FIRST 0x817fff00U
#define SPARE_PLACES 16
#define LATER_TIMES 6 /* with pauses of 20 ms, twice as long each time */

struct exchange {
	TPM2_HANDLE handle;
	TPM2_HANDLE spare; /* 0: nothing is there */
	TPM2B_AUTH owner;
	TPM2B_AUTH to;
	TPM2B_PRIVATE *private;
	TSS2_RC code; /* of what went wrong once the spare was there */
	bool refused; /* by the owner */
	bool other_parent;
};

/* The TPM's memory may be worn too fast, or a self-test run, in the middle of it. */
static TSS2_RC evict_control(
	struct admin *admin, struct exchange *exchange, ESYS_TR object, TPM2_HANDLE handle)
{
	struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	TSS2_RC code = admin_evict_control(admin, &exchange->owner, object, handle);

	for (unsigned i = 0; i < LATER_TIMES && tpm_trouble(code) == TPM_LATER; i++) {
		(void)nanosleep(&pause, NULL);
		pause.tv_nsec = pause.tv_nsec * 2 % 1000000000;
		code = admin_evict_control(admin, &exchange->owner, object, handle);
	}
	exchange->refused = admin_is_refusal(code);
	return code;
}

static TSS2_RC put_at_spare(struct admin *admin, struct exchange *exchange, ESYS_TR fresh)
{
	TSS2_RC code = TPM2_RC_NV_DEFINED;

	for (TPM2_HANDLE i = 0; i < SPARE_PLACES && admin_is_taken(code); i++) {
		exchange->spare = SPARE_FIRST + i;
		code = evict_control(admin, exchange, fresh, exchange->spare);
	}
	if (code != TSS2_RC_SUCCESS)
		exchange->spare = 0;
	return code;
}

static TSS2_RC take_from_spare(struct admin *admin, struct exchange *exchange)
{
	ESYS_CONTEXT *esys = admin->held.tpm.esys;
	ESYS_TR object = ESYS_TR_NONE;
	TSS2_RC code = Esys_TR_FromTPMPublic(
		esys, exchange->spare, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);

	if (code == TSS2_RC_SUCCESS)
		code = evict_control(admin, exchange, object, exchange->spare);
	if (code == TSS2_RC_SUCCESS)
		exchange->spare = 0;
	tpm_forget(esys, &object);
	return code;
}

/* Nothing of this is done a second time: an error here is told, not returned. */
static TSS2_RC exchange_at_handle(
	struct admin *admin, struct exchange *exchange, struct tpm_key *key, ESYS_TR fresh)
{
	TSS2_RC code = put_at_spare(admin, exchange, fresh);

	if (code != TSS2_RC_SUCCESS)
		return code;
	exchange->code = evict_control(admin, exchange, key->loaded, exchange->handle);
	if (exchange->code == TSS2_RC_SUCCESS)
		exchange->code = evict_control(admin, exchange, fresh, exchange->handle);
	if (exchange->code == TSS2_RC_SUCCESS)
		exchange->code = take_from_spare(admin, exchange);
	return TSS2_RC_SUCCESS;
}

static TSS2_RC change(struct admin *admin, struct tpm_key *key, void *context)
{
	struct exchange *exchange = context;
	struct held *held = &admin->held;
	ESYS_TR fresh = ESYS_TR_NONE;
	TSS2_RC code = Esys_ObjectChangeAuth(held->tpm.esys, key->loaded, held->parent,
		held->session, ESYS_TR_NONE, ESYS_TR_NONE, &exchange->to, &exchange->private);

	exchange->other_parent = (code & ~(TSS2_RC_LAYER_MASK | 0xf00)) ==
				 (TPM2_RC_TYPE & ~0xf00U); /* whichever handle it is about */
	if (code == TSS2_RC_SUCCESS)
		code = Esys_Load(held->tpm.esys, held->parent, held->session, ESYS_TR_NONE,
			ESYS_TR_NONE, exchange->private, &key->public, &fresh);
	if (code == TSS2_RC_SUCCESS)
		code = exchange_at_handle(admin, exchange, key, fresh);
	tpm_flush(held->tpm.esys, &fresh);
	Esys_Free(exchange->private);
	exchange->private = NULL;
	return code;
}

/* ---- The key ---- */

struct lookup {
	TPM2_HANDLE handle;
	TPM2B_PUBLIC *public;
};

static TSS2_RC read_public(struct held *held, struct tpm_key *key, void *context)
{
	struct lookup *lookup = context;
	ESYS_CONTEXT *esys = held->tpm.esys;
	ESYS_TR object = ESYS_TR_NONE;
	TSS2_RC code = Esys_TR_FromTPMPublic(
		esys, lookup->handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);

	(void)key;
	if (code == TSS2_RC_SUCCESS)
		code = Esys_ReadPublic(esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
			&lookup->public, NULL, NULL);
	tpm_forget(esys, &object);
	return code;
}

static enum ks_error find_key(struct admin *admin, TPM2_HANDLE handle, struct tpm_key *out)
{
	struct lookup lookup = {.handle = handle};
	const struct tpm_use use = {
		.run = read_public, .context = &lookup, .command = "TPM2_ReadPublic"};
	const char *wrong = NULL;
	enum tpm_trouble trouble;
	enum ks_error error = held_ask(&admin->held, admin->operation, &use, &trouble);

	if (error != KS_OK) {
		if (trouble == TPM_OBJECT_GONE)
			ks_explain(admin->operation, "nothing is at that handle");
		return error;
	}
	error = tpm_key_from_handle(out, handle, lookup.public, &wrong);
	Esys_Free(lookup.public);
	if (error != KS_OK)
		ks_explain(admin->operation, "the handle %s", wrong);
	else
		error = admin_parent(admin, &out->parent);
	return error;
}

/* ---- The outcome ---- */

static void explain(struct admin *admin, const struct exchange *exchange)
{
	if (exchange->spare != 0)
		ks_explain(admin->operation,
			"the key with the new PIN is at 0x%08x now, and what is at 0x%08x was not "
			"exchanged or not put back (0x%x): keystile tpm list shows both",
			(unsigned)exchange->spare, (unsigned)exchange->handle,
			(unsigned)exchange->code);
	else if (exchange->refused)
		admin_explain_password(admin, "--owner-password");
	else if (exchange->other_parent)
		ks_explain(admin->operation,
			"the key at that handle has another parent than that one: --parent and "
			"--rsa-parent say which. One that is a primary key has none, and its PIN "
			"can't be changed");
}

static enum ks_error exchange_pin(
	struct admin *admin, struct tpm_key *key, struct exchange *exchange)
{
	TPM2B_AUTH now = {0};
	const struct admin_key_use use = {.run = change,
		.context = exchange,
		.auth = &now,
		.command = "TPM2_ObjectChangeAuth"};
	enum ks_error error = admin_pin_of(admin, key, &now);

	if (error == KS_OK)
		error = admin_run_key(admin, key, &use);
	if (error == KS_OK && exchange->code != TSS2_RC_SUCCESS)
		error = KS_DEVICE_FAILED;
	if (error != KS_OK)
		explain(admin, exchange);
	else
		json_object_set_new(admin->answer, "uncounted", json_boolean(!key->counted));
	explicit_bzero(&now, sizeof(now));
	return error;
}

enum ks_error admin_passwd_persistent(struct admin *admin)
{
	struct exchange exchange = {0};
	struct tpm_key key = {0};
	enum ks_error error = admin_handle(admin, &exchange.handle);

	if (error == KS_OK)
		error = admin_new_pin(admin, "owner_pin", &exchange.owner);
	if (error == KS_OK)
		error = admin_new_pin(admin, "pin", &exchange.to);
	if (error == KS_OK)
		error = find_key(admin, exchange.handle, &key);
	if (error == KS_OK)
		error = exchange_pin(admin, &key, &exchange);
	held_release(&admin->held); /* holds the key */
	tpm_key_deinit(&key);
	explicit_bzero(&exchange.owner, sizeof(exchange.owner));
	explicit_bzero(&exchange.to, sizeof(exchange.to));
	return error;
}
