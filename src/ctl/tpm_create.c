/*
 * keystile tpm create: a key that is made in the TPM and never leaves it.
 */
#include <stdbool.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "control.h"
#include "key_place.h"
#include "tpm_made.h"

static enum ks_error create(const struct tpm_wish *wish, const char *comment)
{
	json_t *request = made_request(wish, comment);
	json_t *answer = NULL;
	struct secret secrets = {0};
	enum ks_error error;

	if (request == NULL)
		return KS_NO_MEMORY;
	json_object_set_new(
		request, "algorithm", json_string(wish->kind != NULL ? wish->kind : "ecdsa-p256"));
	error = tpm_ask_passwords(wish, request, &secrets);
	if (error == KS_OK)
		error = made_choose_pin(wish, wish->file, &secrets);
	if (error == KS_OK)
		error = tpm_ask(wish, json_incref(request), &secrets, &answer);
	secret_deinit(&secrets);
	json_decref(request);
	if (error == KS_OK)
		error = made_write(wish, wish->file, answer, comment);
	json_decref(answer);
	return error;
}

int tpm_create(const struct tpm_wish *wish)
{
	AUTO(text) comment = wish->comment != NULL ? strdup(wish->comment) : made_usual_comment();

	if (comment == NULL || !made_comment_fits(comment))
		return TPM_EXIT_USAGE;
	if (!key_place_is_free(wish->file, wish->force))
		return TPM_EXIT_FAILED;
	return create(wish, comment) == KS_OK ? TPM_EXIT_FINE : TPM_EXIT_FAILED;
}
