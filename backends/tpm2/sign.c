/*
 * The order of things: what can be refused without a human, then whether the key has a PIN at all,
 * then the PIN that is kept (for who is at this machine), then the person. A PIN that was typed is
 * sent once; it is proof of presence only when the TPM took it.
 */
#include "sign.h"

#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>

#include "lockout.h"
#include "remembered.h"
#include "signature.h"

#define PINS_ASKED 3

struct signing {
	struct tpm2 *tpm2;
	struct ks_operation *operation;
	struct tpm_key *key;
	struct tpm_signature *signature;
	const struct secret *pin; /* NULL: the empty one */
	bool retry;
};

static TSS2_RC run(struct held *held, struct tpm_key *key, void *context)
{
	const struct signing *signing = context;

	return tpm_signature_make(held, key, signing->pin, signing->signature);
}

/* Under the lock. known: the PIN was right before, or is none. */
static enum ks_error make(struct signing *signing, bool known, enum tpm_trouble *trouble)
{
	const struct tpm_use use = {
		.run = run, .context = signing, .command = "TPM2_Sign", .once = !known};
	enum ks_error error =
		held_use(&signing->tpm2->held, signing->operation, signing->key, &use, trouble);

	provider_was_used(signing->tpm2);
	return error;
}

static bool refused(enum tpm_trouble trouble)
{
	return trouble == TPM_AUTH_COUNTED || trouble == TPM_AUTH_FREE;
}

/* ---- Keys of which their file says that they have no PIN ---- */

/* Some programs write that for keys that have one. What turned out is written down. */
static void remember_pin(struct signing *signing)
{
	const char *folder = signing->tpm2->settings.state_folder;
	struct tpm_key *key = signing->key;
	AUTO(text) file = NULL;

	key->pin = TPM_PIN_SET;
	if (folder != NULL)
		file = remembered_file(folder, "pin", buf_bytes(&key->blob));
	if (file != NULL &&
		remembered_write(file, bytes_of("its file says that it has none")) != KS_OK)
		log_debug("that a key has a PIN is not remembered");
	provider_report(signing->tpm2, key);
}

/*
 * Under the lock. KS_PIN_NEEDED: it has a PIN, or may have one. The empty authorisation value is
 * tried where that costs nothing, or once where tries are plenty.
 */
static enum ks_error try_without(struct signing *signing)
{
	struct tpm_key *key = signing->key;
	enum tpm_trouble trouble = TPM_FINE;
	enum ks_error error;

	if (key->pin == TPM_PIN_SET)
		return KS_PIN_NEEDED;
	if (key->pin == TPM_PIN_DENIED && !lockout_spare(signing->tpm2, signing->operation, key))
		return KS_PIN_NEEDED;
	signing->pin = NULL;
	error = make(signing, key->pin == TPM_PIN_NONE || !key->counted, &trouble);
	if (error == KS_OK && key->pin == TPM_PIN_DENIED) {
		key->pin = TPM_PIN_NONE;
		provider_report(signing->tpm2, key);
	}
	if (!refused(trouble))
		return error;
	remember_pin(signing);
	return KS_PIN_NEEDED;
}

/* ---- Kept PINs ---- */

/* Under the lock. KS_PIN_NEEDED: none is kept, or it is not right any more. */
static enum ks_error try_kept(struct signing *signing)
{
	struct tpm_key *key = signing->key;
	enum tpm_trouble trouble = TPM_FINE;
	enum ks_error error;

	if (key->kept.len > 0 && key->kept_until_ms <= tpm2_now_ms())
		provider_forget_pin(signing->tpm2, key);
	if (key->kept.len == 0)
		return KS_PIN_NEEDED;
	signing->pin = &key->kept;
	error = make(signing, true, &trouble);
	if (!refused(trouble))
		return error;
	provider_forget_pin(signing->tpm2, key);
	return KS_PIN_NEEDED;
}

/* The TPM has just taken it, for a request from here. */
static void keep(struct tpm2 *tpm2, struct tpm_key *key, const struct secret *pin)
{
	if (tpm2->settings.pin_seconds == 0)
		return;
	secret_deinit(&key->kept);
	if (secret_init(&key->kept, KS_PIN_MAX) != KS_OK)
		return;
	memcpy(key->kept.data, pin->data, pin->len);
	key->kept.len = pin->len;
	key->kept_until_ms = tpm2_now_ms() + tpm2->settings.pin_seconds * UINT64_C(1000);
	provider_report(tpm2, key);
}

/* ---- Typed PINs ---- */

/* Under the lock. The TPM is asked again how many tries are left: people take minutes. */
static enum ks_error use_typed(struct signing *signing, const struct secret *pin)
{
	struct tpm_key *key = signing->key;
	enum tpm_trouble trouble = TPM_FINE;
	enum ks_error error;

	if (pin->len > tpm_key_pin_max(key)) {
		ks_explain(signing->operation, "it is longer than a PIN of this key can be");
		return KS_PIN_WRONG;
	}
	error = lockout_guard(signing->tpm2, signing->operation, key);
	if (error != KS_OK)
		return error;
	signing->pin = pin;
	error = make(signing, false, &trouble);
	if (refused(trouble) || trouble == TPM_LOCKED)
		lockout_explain(signing->tpm2, signing->operation, key);
	if (error == KS_OK && key->pin == TPM_PIN_DENIED)
		remember_pin(signing);
	return error;
}

static enum ks_error ask_pin(struct signing *signing, struct secret *pin)
{
	struct tpm2 *tpm2 = signing->tpm2;
	struct ks_token token;
	enum ks_error error;

	pthread_mutex_lock(&tpm2->lock);
	error = lockout_guard(tpm2, signing->operation, signing->key);
	token = provider_token(signing->key);
	pthread_mutex_unlock(&tpm2->lock);
	if (error != KS_OK)
		return error;
	return ks_ask_pin(signing->operation, &token, signing->retry, pin);
}

/* The same wrong PIN again is not worth a try. */
static bool same_secret(const struct secret *a, const struct secret *b)
{
	return a->len > 0 && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static enum ks_error ask_once(struct signing *signing, bool local, struct secret *before)
{
	struct tpm2 *tpm2 = signing->tpm2;
	struct secret pin = {0};
	enum ks_error error = ask_pin(signing, &pin);

	if (error != KS_OK)
		return error;
	if (same_secret(&pin, before)) {
		ks_explain(signing->operation, "the same wrong PIN was typed again");
		error = KS_PIN_WRONG;
	} else {
		pthread_mutex_lock(&tpm2->lock);
		error = use_typed(signing, &pin);
		if (error == KS_OK && local)
			keep(tpm2, signing->key, &pin);
		pthread_mutex_unlock(&tpm2->lock);
	}
	secret_deinit(before);
	*before = pin;
	return error;
}

static enum ks_error ask_person(struct signing *signing, bool local)
{
	struct secret before = {0};
	enum ks_error error;
	unsigned asked = 0;

	do {
		error = ask_once(signing, local, &before);
		signing->retry = true;
	} while (error == KS_PIN_WRONG && ++asked < PINS_ASKED);
	secret_deinit(&before);
	if (error == KS_OK)
		ks_presence_given(signing->operation, KS_PRESENCE_PIN);
	return error;
}

/* ---- The two ways ---- */

static enum ks_error sign_local(struct signing *signing)
{
	struct tpm2 *tpm2 = signing->tpm2;
	enum ks_error error;

	pthread_mutex_lock(&tpm2->lock);
	error = try_without(signing);
	if (error == KS_PIN_NEEDED)
		error = try_kept(signing);
	pthread_mutex_unlock(&tpm2->lock);
	return error == KS_PIN_NEEDED ? ask_person(signing, true) : error;
}

/* Whether the key has a PIN is found out with data that means nothing: it is not given out. */
static enum ks_error find_out(struct signing *signing)
{
	struct tpm_signature meaningless = *signing->signature;
	struct signing trial = *signing;
	enum ks_error error = KS_PIN_NEEDED;

	memset(meaningless.digest.buffer, 0xa5, meaningless.digest.size);
	trial.signature = &meaningless;
	pthread_mutex_lock(&signing->tpm2->lock);
	if (signing->key->pin == TPM_PIN_DENIED)
		error = try_without(&trial);
	else if (signing->key->pin == TPM_PIN_NONE)
		error = KS_OK;
	pthread_mutex_unlock(&signing->tpm2->lock);
	return error;
}

static enum ks_error sign_with_presence(struct signing *signing, uint32_t demand)
{
	enum ks_error error;

	if ((demand & KS_PRESENCE_PIN) == 0) {
		ks_explain(signing->operation, "a TPM can't be touched");
		return KS_UNSUPPORTED;
	}
	error = find_out(signing);
	if (error == KS_OK) {
		ks_explain(signing->operation,
			"this key has no PIN, so nothing proves that somebody is there: give it "
			"one "
			"(keystile tpm passwd) to use it through other machines");
		return KS_UNSUPPORTED;
	}
	return error == KS_PIN_NEEDED ? ask_person(signing, false) : error;
}

enum ks_error tpm2_sign(struct tpm2 *tpm2, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	struct tpm_signature made;
	struct signing signing = {.tpm2 = tpm2, .operation = operation, .signature = &made};
	enum ks_error error;

	pthread_mutex_lock(&tpm2->lock);
	signing.key = provider_key(tpm2, request->token, request->blob);
	pthread_mutex_unlock(&tpm2->lock);
	if (signing.key == NULL)
		return KS_NO_KEY;
	error = tpm_signature_prepare(
		operation, signing.key, request->algorithm, request->data, &made);
	if (error == KS_OK)
		error = request->demand == KS_PRESENCE_NONE
				? sign_local(&signing)
				: sign_with_presence(&signing, request->demand);
	return error == KS_OK
		       ? signature_put(signature, request->algorithm, BYTES(made.raw, made.len))
		       : error;
}

/* ---- A PIN given ahead ---- */

/* The only key that has a PIN, or may have one; NULL where it is not clear which. */
static struct tpm_key *key_of_pin(struct tpm2 *tpm2)
{
	struct tpm_key *only = NULL;

	for (size_t i = 0; i < tpm2->key_count; i++) {
		if (tpm2->keys[i]->pin == TPM_PIN_NONE)
			continue;
		if (only != NULL)
			return NULL;
		only = tpm2->keys[i];
	}
	return only;
}

static enum ks_algorithm any_algorithm(const struct tpm_key *key)
{
	const TPMT_PUBLIC *area = &key->public.publicArea;

	if (area->type == TPM2_ALG_RSA)
		return area->parameters.rsaDetail.scheme.details.rsassa.hashAlg == TPM2_ALG_SHA512
			       ? KS_ALGORITHM_RSA_SHA512
			       : KS_ALGORITHM_RSA_SHA256;
	switch (area->parameters.eccDetail.curveID) {
	case TPM2_ECC_NIST_P384:
		return KS_ALGORITHM_ECDSA_P384;
	case TPM2_ECC_NIST_P521:
		return KS_ALGORITHM_ECDSA_P521;
	default:
		return KS_ALGORITHM_ECDSA_P256;
	}
}

enum ks_error tpm2_try_pin(
	struct tpm2 *tpm2, struct ks_operation *operation, const struct secret *pin)
{
	struct tpm_signature made;
	struct signing signing = {.tpm2 = tpm2, .operation = operation, .signature = &made};
	enum ks_error error = KS_OK;

	pthread_mutex_lock(&tpm2->lock);
	signing.key = tpm2->settings.pin_seconds > 0 ? key_of_pin(tpm2) : NULL;
	if (signing.key != NULL) {
		error = tpm_signature_prepare(operation, signing.key, any_algorithm(signing.key),
			bytes_of("keystile: is this the PIN?"), &made);
		if (error == KS_OK)
			error = use_typed(&signing, pin);
		if (error == KS_OK)
			keep(tpm2, signing.key, pin);
	}
	pthread_mutex_unlock(&tpm2->lock);
	return error;
}
