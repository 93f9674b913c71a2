/*
 * Keys from files and handles, with the certificates that lie beside the files.
 */
#include "key.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "key_blob.h"

#define PUBLIC_FILE_MAX 32768
#define COMMENT_MAX 1000

void tpm_key_deinit(struct tpm_key *key)
{
	free(key->label);
	free(key->location);
	buf_deinit(&key->blob);
	buf_deinit(&key->certificate);
	secret_deinit(&key->kept);
	*key = (struct tpm_key){.loaded = ESYS_TR_NONE};
}

bool tpm_key_is(const struct tpm_key *key, struct bytes blob)
{
	return bytes_equal(buf_bytes(&key->blob), blob) ||
	       (key->certificate.len > 0 && bytes_equal(buf_bytes(&key->certificate), blob));
}

size_t tpm_key_pin_max(const struct tpm_key *key)
{
	switch (key->public.publicArea.nameAlg) {
	case TPM2_ALG_SHA384:
		return TPM2_SHA384_DIGEST_SIZE;
	case TPM2_ALG_SHA512:
		return TPM2_SHA512_DIGEST_SIZE;
	default:
		return TPM2_SHA256_DIGEST_SIZE;
	}
}

/* What a key must be like to sign what others give it to sign. */
static enum ks_error take_public(
	struct tpm_key *key, const TPM2B_PUBLIC *public, const char **wrong)
{
	const TPMA_OBJECT attributes = public->publicArea.objectAttributes;
	enum ks_error error;

	*wrong = "holds a kind or size of key that SSH does not use";
	key->public = *public;
	key->counted = (attributes & TPMA_OBJECT_NODA) == 0;
	error = tpm_key_blob(&public->publicArea, &key->blob);
	if (error != KS_OK)
		return error;
	*wrong = "holds a key that may not sign";
	if ((attributes & TPMA_OBJECT_SIGN_ENCRYPT) == 0 &&
		(public->publicArea.type != TPM2_ALG_RSA ||
			(attributes & TPMA_OBJECT_DECRYPT) == 0))
		return KS_UNSUPPORTED;
	*wrong = "holds a key that signs only what the TPM itself made (it is restricted)";
	if ((attributes & TPMA_OBJECT_RESTRICTED) != 0)
		return KS_UNSUPPORTED;
	*wrong = "holds a key that is used by policies only, which we don't have";
	if ((attributes & TPMA_OBJECT_USERWITHAUTH) == 0)
		return KS_UNSUPPORTED;
	key->padded_here = (attributes & TPMA_OBJECT_SIGN_ENCRYPT) == 0;
	return KS_OK;
}

/* ---- Files beside ---- */

/* "/home/joe/.ssh/id.tpm" has "/home/joe/.ssh/id-cert.pub" and "/home/joe/.ssh/id.pub". */
static char *path_beside(const char *path, const char *ending)
{
	size_t len = strlen(path);

	if (len > strlen(".tpm") && strcmp(path + len - strlen(".tpm"), ".tpm") == 0)
		len -= strlen(".tpm");
	return text_format("%.*s%s", (int)len, path, ending);
}

/* The second word of a line, out of base64. */
static enum ks_error decode_line(const char *line, struct buf *out)
{
	const char *begin = strchr(line, ' ');
	size_t len = begin != NULL ? strcspn(++begin, " \t\r\n") : 0;
	uint8_t *room = buf_reserve(out, len);
	int got;

	if (len == 0 || len % 4 != 0 || room == NULL)
		return KS_BAD_INPUT;
	got = EVP_DecodeBlock(room, (const unsigned char *)begin, (int)len);
	if (got < 3)
		return KS_BAD_INPUT;
	got -= begin[len - 1] == '=';
	got -= begin[len - 2] == '=';
	out->len += (size_t)got;
	return KS_OK;
}

/* What begins with the third word of a line, or NULL; the caller frees it. */
static char *comment_of(const char *line)
{
	for (int words = 0; words < 2; words++) {
		line += strcspn(line, " \t\r\n");
		line += strspn(line, " \t");
	}
	const size_t len = strcspn(line, "\r\n");

	return len > 0 && len <= COMMENT_MAX ? strndup(line, len) : NULL;
}

/* The first PUBLIC_FILE_MAX bytes, NULL where there is no such file; the caller frees it. */
static char *read_public(const char *path)
{
	AUTO(text) text = calloc(1, PUBLIC_FILE_MAX + 1);
	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || text == NULL || read(fd, text, PUBLIC_FILE_MAX) <= 0)
		return NULL;
	return TAKE_TEXT(text);
}

/* As ssh-keygen leaves it: the comment of NAME.pub, if that is the same key. */
static void take_comment(struct tpm_key *key, const char *key_path)
{
	AUTO(text) path = path_beside(key_path, ".pub");
	AUTO(text) line = path != NULL ? read_public(path) : NULL;
	AUTO(text) comment = line != NULL ? comment_of(line) : NULL;
	AUTO(buf) blob = {0};

	if (comment == NULL || decode_line(line, &blob) != KS_OK ||
		!bytes_equal(buf_bytes(&blob), buf_bytes(&key->blob)))
		return;
	free(key->label);
	key->label = TAKE_TEXT(comment);
}

static enum ks_error check_certificate(const struct tpm_key *key, struct bytes blob)
{
	struct public_key *parsed = NULL;
	enum ks_error error = public_key_parse(blob, &parsed);

	if (error == KS_OK && (!parsed->certificate || !bytes_equal(buf_bytes(&parsed->plain),
							       buf_bytes(&key->blob))))
		error = KS_BAD_INPUT;
	public_key_free(&parsed);
	return error;
}

static void take_certificate(struct tpm_key *key, const char *key_path)
{
	AUTO(text) path = path_beside(key_path, "-cert.pub");
	AUTO(text) line = path != NULL ? read_public(path) : NULL;
	AUTO(buf) blob = {0};
	char quoted[TEXT_QUOTED_MAX];

	if (line == NULL)
		return;
	if (decode_line(line, &blob) == KS_OK && check_certificate(key, buf_bytes(&blob)) == KS_OK)
		buf_put(&key->certificate, buf_bytes(&blob));
	else
		log_warning("%s is no certificate of the key beside it",
			text_quote(bytes_of(path), quoted));
}

/* ---- Where keys come from ---- */

static enum ks_error take_file(
	struct tpm_key *key, const struct tpm_key_file *file, const char *path, const char **wrong)
{
	enum ks_error error = take_public(key, &file->public, wrong);

	if (error != KS_OK)
		return error;
	key->importable = file->kind == TPM_KEY_IMPORTABLE;
	key->parent.handle = file->parent;
	key->parent.template = file->rsa_parent ? TPM_TEMPLATE_RSA_2048 : TPM_TEMPLATE_ECC_P256;
	key->private = file->private;
	key->seed = file->secret;
	key->pin = file->empty_auth ? TPM_PIN_DENIED : TPM_PIN_SET;
	key->location = strdup(path);
	key->label = strdup(file->description != NULL ? file->description : path);
	return key->location != NULL && key->label != NULL ? KS_OK : KS_NO_MEMORY;
}

enum ks_error tpm_key_from_file(struct tpm_key *key, const char *path, const char **wrong)
{
	struct tpm_key_file file = {0};
	AUTO(buf) text = {0};
	enum ks_error error;

	*key = (struct tpm_key){.loaded = ESYS_TR_NONE, .tries_left = KS_TRIES_UNKNOWN};
	*wrong = "can't be read";
	error = tpm_key_file_read(path, &text, wrong);
	if (error == KS_OK)
		error = tpm_key_file_parse(buf_bytes(&text), &file, wrong);
	if (error != KS_OK)
		return error;
	error = take_file(key, &file, path, wrong);
	tpm_key_file_deinit(&file);
	if (error != KS_OK) {
		tpm_key_deinit(key);
		return error;
	}
	take_comment(key, path);
	take_certificate(key, path);
	return KS_OK;
}

enum ks_error tpm_key_from_handle(
	struct tpm_key *key, TPM2_HANDLE handle, const TPM2B_PUBLIC *public, const char **wrong)
{
	enum ks_error error;

	*key = (struct tpm_key){.loaded = ESYS_TR_NONE,
		.tries_left = KS_TRIES_UNKNOWN,
		.persistent = handle,
		.parent = {.handle = TPM2_RH_OWNER, .template = TPM_TEMPLATE_ECC_P256},
		.pin = TPM_PIN_DENIED};
	error = take_public(key, public, wrong);
	key->location = text_format("0x%08x", (unsigned)handle);
	key->label = text_format("TPM key 0x%08x", (unsigned)handle);
	if (error == KS_OK && (key->location == NULL || key->label == NULL))
		error = KS_NO_MEMORY;
	if (error != KS_OK)
		tpm_key_deinit(key);
	return error;
}
