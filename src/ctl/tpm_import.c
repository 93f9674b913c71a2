/*
 * keystile tpm import, wrap and storage-key: keys that were made outside, for this TPM and for
 * others'.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <keystile/cleanup.h>

#include "control.h"
#include "key_place.h"
#include "key_source.h"
#include "pin.h"
#include "tpm_made.h"

#define STORAGE_KEY_MAX 4096

static void warn(const struct tpm_wish *wish)
{
	complain("this key was outside of a TPM, and is in %s still: whoever has a copy of that, "
		 "from a "
		 "backup for instance,\n  signs without any TPM. A key made by `keystile tpm "
		 "create` "
		 "never was outside",
		wish->file);
}

/* The private key and the PIN, in this order. */
static enum ks_error gather(const struct tpm_wish *wish, struct secret *secrets, char **comment)
{
	struct secret key = {0};
	enum ks_error error = key_source_read(wish->file, &key, comment);

	if (error == KS_OK)
		error = pin_append(secrets, &key);
	secret_deinit(&key);
	return error == KS_OK ? made_choose_pin(wish, wish->second, secrets) : error;
}

/* request has what is special of the verb, and is taken. */
static enum ks_error bring(const struct tpm_wish *wish, json_t *special)
{
	struct secret secrets = {0};
	json_t *answer = NULL, *request = NULL;
	AUTO(text) theirs = NULL;
	const char *comment;
	enum ks_error error = tpm_ask_passwords(wish, special, &secrets);

	if (error == KS_OK)
		error = gather(wish, &secrets, &theirs);
	comment = wish->comment != NULL ? wish->comment : theirs;
	if (error == KS_OK && !made_comment_fits(comment))
		error = KS_BAD_INPUT;
	if (error == KS_OK)
		request = made_request(wish, comment);
	if (request != NULL && json_object_update(request, special) == 0)
		error = tpm_ask(wish, json_incref(request), &secrets, &answer);
	else if (error == KS_OK)
		error = KS_NO_MEMORY;
	secret_deinit(&secrets);
	json_decref(special);
	json_decref(request);
	if (error == KS_OK)
		error = made_write(wish, wish->second, answer, comment);
	json_decref(answer);
	if (error == KS_OK)
		warn(wish);
	return error;
}

int tpm_import(const struct tpm_wish *wish)
{
	if (!key_place_is_free_for(wish->second, wish->force))
		return TPM_EXIT_FAILED;
	return bring(wish, json_object()) == KS_OK ? TPM_EXIT_FINE : TPM_EXIT_FAILED;
}

/* ---- For another machine ---- */

static json_t *base64_of(const struct buf *bytes)
{
	AUTO(text) text = malloc((bytes->len + 2) / 3 * 4 + 1);

	if (text == NULL)
		return NULL;
	EVP_EncodeBlock((unsigned char *)text, bytes->data, (int)bytes->len);
	return json_string(text);
}

int tpm_wrap(const struct tpm_wish *wish)
{
	AUTO(buf) storage = {0};

	if (wish->storage_key == NULL) {
		complain("wrap needs --for with the public part of the other TPM's storage key, "
			 "which "
			 "`keystile tpm storage-key` there writes");
		return TPM_EXIT_USAGE;
	}
	if (!key_place_is_free_for(wish->second, wish->force) ||
		key_place_read(wish->storage_key, STORAGE_KEY_MAX, &storage) != KS_OK)
		return TPM_EXIT_FAILED;
	return bring(wish, json_pack("{s:o}", "storage_key", base64_of(&storage))) == KS_OK
		       ? TPM_EXIT_FINE
		       : TPM_EXIT_FAILED;
}

/* ---- The public part of a storage key ---- */

static enum ks_error write_storage_key(const struct tpm_wish *wish, const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "storage_key"));
	const char *name = json_string_value(json_object_get(answer, "name"));
	size_t len = text != NULL ? strlen(text) : 0;
	uint8_t bytes[STORAGE_KEY_MAX];
	int got = -1;

	if (len > 0 && len % 4 == 0 && len < sizeof(bytes) && name != NULL)
		got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len);
	if (got < 3) {
		complain("the worker's answer lacks the key");
		return KS_DEVICE_FAILED;
	}
	got -= (text[len - 1] == '=') + (text[len - 2] == '=');
	enum ks_error error =
		key_place_write(wish->file, BYTES(bytes, (size_t)got), 0644, wish->force);
	if (error == KS_OK && printf("%s\n", name) < 0)
		error = KS_DEVICE_FAILED;
	return error;
}

int tpm_storage_key(const struct tpm_wish *wish)
{
	json_t *request = json_object();
	json_t *answer = NULL;
	struct secret secrets = {0};
	enum ks_error error = tpm_ask_passwords(wish, request, &secrets);

	tpm_put_parent(wish, request);
	if (error == KS_OK)
		error = tpm_ask(wish, json_incref(request), &secrets, &answer);
	secret_deinit(&secrets);
	json_decref(request);
	if (error == KS_OK)
		error = write_storage_key(wish, answer);
	json_decref(answer);
	return error == KS_OK ? tpm_finish() : TPM_EXIT_FAILED;
}
