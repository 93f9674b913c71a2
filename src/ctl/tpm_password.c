/*
 * Passwords of what is above a key in a TPM: hierarchies, and keys that wrap others.
 */
#include "pin.h"
#include "tpm.h"

static enum ks_error ask(const char *text, json_t *request, const char *flag, struct secret *row)
{
	const struct pin_question question = {.text = text, .trouble = "", .password = true};
	struct secret password = {0};
	enum ks_error error = pin_read(&question, &password);

	json_object_set_new(request, flag, json_true());
	if (error == KS_OK)
		error = pin_append(row, &password);
	secret_deinit(&password);
	return error;
}

enum ks_error tpm_ask_passwords(const struct tpm_wish *wish, json_t *request, struct secret *row)
{
	enum ks_error error = KS_OK;

	if (wish->parent_password)
		error = ask("The password of the hierarchy or key above this one.\n", request,
			"parent_pin", row);
	if (error == KS_OK && wish->owner_password)
		error = ask(
			"The password of the TPM's owner hierarchy.\n", request, "owner_pin", row);
	if (error == KS_OK && wish->endorsement_password)
		error = ask("The password of the TPM's endorsement hierarchy.\n", request,
			"endorsement_pin", row);
	return error;
}
