/*
 * keystile tpm passwd, persist, evict: what is done with a key that is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"
#include "key_place.h"
#include "pin.h"
#include "tpm.h"

json_t *tpm_request_for_file(const struct tpm_wish *wish)
{
	AUTO(buf) text = {0};
	json_t *request;

	if (key_place_read_private(wish->file, TPM_FILE_MAX, &text) != KS_OK)
		return NULL;
	request = json_pack("{s:s%, s:b, s:b}", "file", (const char *)text.data, text.len,
		"has_pin", wish->has_pin, "has_none", wish->has_none);
	if (request == NULL)
		complain("%s is no key file of a TPM: it is not even text", wish->file);
	return request;
}

static enum ks_error ask_new_pin(const struct tpm_wish *wish, struct secret *row)
{
	char quoted[TEXT_QUOTED_MAX];
	AUTO(text) text = text_format(
		"A new PIN for the key in %s.\n", text_quote(bytes_of(wish->file), quoted));
	struct secret pin = {0};
	enum ks_error error;

	if (wish->no_pin)
		return KS_OK;
	error = text == NULL ? KS_NO_MEMORY : pin_choose(text, &pin);
	if (error == KS_OK)
		error = pin_append(row, &pin);
	secret_deinit(&pin);
	return error;
}

static void warn_uncounted(const struct tpm_wish *wish, const json_t *answer)
{
	if (!wish->no_pin && json_is_true(json_object_get(answer, "uncounted")))
		complain("this key was made without a PIN, so the TPM does not count wrong ones: a "
			 "long one is needed, or a new key");
}

static enum ks_error replace_file(const struct tpm_wish *wish, const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "file"));
	enum ks_error error;

	if (text == NULL) {
		complain("the worker's answer lacks the key");
		return KS_DEVICE_FAILED;
	}
	error = key_place_write(wish->file, bytes_of(text), 0600, true);
	if (error != KS_OK)
		return error;
	complain("the PIN is another one from now on; copies of the old %s still go with the old "
		 "PIN",
		wish->file);
	warn_uncounted(wish, answer);
	return KS_OK;
}

static bool is_handle(const char *text)
{
	return strncmp(text, "0x", 2) == 0;
}

static json_t *request_for_handle(const struct tpm_wish *wish)
{
	return json_pack("{s:s, s:b, s:b}", "handle", wish->file, "has_pin", wish->has_pin,
		"has_none", wish->has_none);
}

static enum ks_error finish_change(const struct tpm_wish *wish, const json_t *answer)
{
	if (!is_handle(wish->file))
		return replace_file(wish, answer);
	complain("the PIN is another one from now on; a file of the same key goes on with its own");
	warn_uncounted(wish, answer);
	return KS_OK;
}

int tpm_passwd(const struct tpm_wish *wish)
{
	json_t *request =
		is_handle(wish->file) ? request_for_handle(wish) : tpm_request_for_file(wish);
	json_t *answer = NULL;
	struct secret secrets = {0};
	enum ks_error error;

	if (request == NULL)
		return TPM_EXIT_FAILED;
	tpm_put_parent(wish, request);
	error = tpm_ask_passwords(wish, request, &secrets);
	if (error == KS_OK)
		error = ask_new_pin(wish, &secrets);
	json_object_set_new(request, "pin", json_boolean(!wish->no_pin));
	if (error == KS_OK)
		error = tpm_ask(wish, json_incref(request), &secrets, &answer);
	json_decref(request);
	secret_deinit(&secrets);
	if (error == KS_OK)
		error = finish_change(wish, answer);
	json_decref(answer);
	return error == KS_OK ? TPM_EXIT_FINE : TPM_EXIT_FAILED;
}

/* ---- In the TPM ---- */

/* request is taken. */
static int move(const struct tpm_wish *wish, json_t *request, const char *done)
{
	struct secret secrets = {0};
	json_t *answer = NULL;
	enum ks_error error;

	if (request == NULL)
		return TPM_EXIT_FAILED;
	json_object_set_new(request, "handle", json_string(wish->handle));
	error = tpm_ask_passwords(wish, request, &secrets);
	if (error == KS_OK)
		error = tpm_ask(wish, json_incref(request), &secrets, &answer);
	json_decref(request);
	secret_deinit(&secrets);
	json_decref(answer);
	if (error != KS_OK)
		return TPM_EXIT_FAILED;
	printf("%s %s\n", done, wish->handle);
	return tpm_finish();
}

int tpm_persist(const struct tpm_wish *wish)
{
	struct tpm_wish named = *wish;

	named.handle = wish->second;
	return move(&named, tpm_request_for_file(wish), "the key is at");
}

int tpm_evict(const struct tpm_wish *wish)
{
	struct tpm_wish named = *wish;

	named.handle = wish->file;
	named.file = NULL;
	return move(&named, json_pack("{s:b}", "force", wish->force), "nothing is any more at");
}
