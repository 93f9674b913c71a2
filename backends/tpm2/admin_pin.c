/*
 * PINs of keys that are there already. They are asked for as late as possible, and only where the
 * TPM would not be locked by a wrong one.
 */
#include <string.h>

#include <keystile/cleanup.h>

#include "admin.h"

static TSS2_RC read_lockout(struct held *held, struct tpm_key *key, void *context)
{
	(void)key;
	return tpm_lockout_read(held->tpm.esys, context);
}

/* So many wrong ones are left; one is never spent. */
static enum ks_error check_tries(struct admin *admin, int32_t *left)
{
	struct tpm_lockout lockout = {0};
	const struct tpm_use use = {
		.run = read_lockout, .context = &lockout, .command = "TPM2_GetCapability"};
	enum tpm_trouble trouble;
	enum ks_error error = held_ask(&admin->held, admin->operation, &use, &trouble);

	if (error != KS_OK)
		return error;
	*left = lockout.most > lockout.failures ? (int32_t)(lockout.most - lockout.failures) : 0;
	if (lockout.locked || *left == 0) {
		ks_explain(admin->operation,
			"the TPM is locked after too many wrong PINs; it forgets one every %u "
			"seconds",
			(unsigned)lockout.interval_s);
		return KS_PIN_BLOCKED;
	}
	if (*left > 1)
		return KS_OK;
	ks_explain(admin->operation,
		"one more wrong PIN, of whatever key, would lock the TPM: it is not risked. The "
		"TPM "
		"forgets one every %u seconds",
		(unsigned)lockout.interval_s);
	return KS_PIN_LAST_TRY;
}

static enum ks_error has_pin(const struct admin *admin, const struct tpm_key *key, bool *out)
{
	*out = key->pin == TPM_PIN_SET || admin_flag(admin, "has_pin");
	if (*out || !key->counted || admin_flag(admin, "has_none"))
		return KS_OK;
	ks_explain(admin->operation, "its file says that it has no PIN, which some programs write "
				     "of keys that have one: say "
				     "--pin where it has one and --empty where it has none, as a "
				     "wrong guess would count");
	return KS_PIN_NEEDED;
}

static enum ks_error take_pin(const struct admin *admin, const struct tpm_key *key,
	const struct secret *pin, TPM2B_AUTH *out)
{
	if (pin->len > tpm_key_pin_max(key)) {
		ks_explain(
			admin->operation, "that can't be it: it is longer than PINs of this key");
		return KS_PIN_WRONG;
	}
	memcpy(out->buffer, pin->data, pin->len);
	out->size = (UINT16)pin->len;
	return KS_OK;
}

enum ks_error admin_pin_of(struct admin *admin, struct tpm_key *key, TPM2B_AUTH *out)
{
	struct ks_token token = {
		.label = key->label, .flags = KS_TOKEN_NEEDS_LOGIN, .tries_left = KS_TRIES_UNKNOWN};
	struct secret pin = {0};
	bool has = false;
	enum ks_error error = has_pin(admin, key, &has);

	*out = (TPM2B_AUTH){0};
	if (error != KS_OK || !has)
		return error;
	if (key->counted)
		error = check_tries(admin, &token.tries_left);
	if (error == KS_OK)
		error = ks_ask_pin(admin->operation, &token, false, &pin);
	if (error == KS_OK)
		error = take_pin(admin, key, &pin, out);
	secret_deinit(&pin);
	return error;
}
