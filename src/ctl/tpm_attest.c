/*
 * keystile tpm attest, challenge, answer: the conversation by which a key is proved to be in a
 * certain TPM. Each reads and writes JSON, which this process does not look into.
 */
#include <stdio.h>

#include <keystile/cleanup.h>

#include "control.h"
#include "key_place.h"
#include "tpm.h"

#define ROOTS_MAX ((size_t)256 * 1024)

/* Asks the worker and prints what it answers; request is taken, and may be NULL. */
static int pass_on(const struct tpm_wish *wish, json_t *request)
{
	struct secret secrets = {0};
	json_t *answer = NULL;
	enum ks_error error = KS_BAD_INPUT;

	if (request != NULL)
		error = tpm_ask_passwords(wish, request, &secrets);
	if (error == KS_OK)
		error = tpm_ask(wish, json_incref(request), &secrets, &answer);
	secret_deinit(&secrets);
	json_decref(request);
	if (error != KS_OK)
		return TPM_EXIT_FAILED;
	tpm_print_json(answer);
	json_decref(answer);
	return tpm_finish();
}

int tpm_attest(const struct tpm_wish *wish)
{
	json_t *request = tpm_request_for_file(wish);

	if (request != NULL)
		json_object_set_new(
			request, "nonce", json_string(wish->nonce != NULL ? wish->nonce : ""));
	return pass_on(wish, request);
}

bool tpm_put_roots(const struct tpm_wish *wish, json_t *request)
{
	AUTO(buf) text = {0};

	if (wish->roots == NULL)
		return true;
	if (key_place_read(wish->roots, ROOTS_MAX, &text) != KS_OK)
		return false;
	if (text.len > 0 && json_object_set_new(request, "roots",
				    json_stringn((const char *)text.data, text.len)) == 0)
		return true;
	complain("%s holds no certificates", wish->roots);
	return false;
}

bool tpm_put_object(json_t *request, const char *name, const char *path)
{
	AUTO(buf) text = {0};
	json_t *content;

	if (key_place_read(path, TPM_OBJECT_MAX, &text) != KS_OK)
		return false;
	content = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(content) && json_object_set_new(request, name, content) == 0)
		return true;
	complain("%s holds no %s", path, name);
	if (!json_is_object(content))
		json_decref(content);
	return false;
}

static json_t *request_with(const char *name, const char *path)
{
	json_t *request = json_object();

	if (request != NULL && tpm_put_object(request, name, path))
		return request;
	json_decref(request);
	return NULL;
}

int tpm_challenge(const struct tpm_wish *wish)
{
	json_t *request = request_with("proof", wish->file);

	if (request != NULL && !tpm_put_roots(wish, request)) {
		json_decref(request);
		request = NULL;
	}
	return pass_on(wish, request);
}

int tpm_answer(const struct tpm_wish *wish)
{
	return pass_on(wish, request_with("challenge", wish->file));
}
