/*
 * Key files as a whole: PEM around the envelope around the TPM's structures. What OpenSSL and
 * tss2-mu take must be all there is: every length is compared with what was read.
 */
#include "key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <tss2/tss2_mu.h>

#include <keystile/cleanup.h>

#include "key_envelope.h"

#define PEM_NAME "TSS2 PRIVATE KEY"
#define PERSISTENT_MASK 0xff000000U
/* What the marshalled structures need at the most, with room to spare. */
#define STRUCTURE_MAX 4096

/* ---- PEM ---- */

static bool is_blank(struct bytes rest)
{
	for (size_t i = 0; i < rest.len; i++)
		if (strchr(" \t\r\n", rest.data[i]) == NULL || rest.data[i] == '\0')
			return false;
	return true;
}

static const char *read_pem(BIO *in, struct bytes text, struct buf *der)
{
	char *name = NULL, *header = NULL, *left = NULL;
	unsigned char *data = NULL;
	const char *wrong = NULL;
	long len = 0;

	if (PEM_read_bio(in, &name, &header, &data, &len) != 1)
		return "is not PEM, or cut short";
	long left_len = BIO_get_mem_data(in, &left);
	if (strcmp(name, PEM_NAME) != 0)
		wrong = "is PEM, but not a \"" PEM_NAME "\"";
	else if (header[0] != '\0')
		wrong = "has PEM headers, which such a key never has";
	else if (left_len < 0 || (size_t)left_len > text.len ||
		 !is_blank(BYTES((const uint8_t *)left, (size_t)left_len)))
		wrong = "goes on after the key";
	buf_put(der, BYTES(data, (size_t)len));
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	return wrong;
}

static const char *unwrap_pem(struct bytes text, struct buf *der)
{
	BIO *in;
	const char *wrong;

	if (text.len > TPM_KEY_FILE_MAX)
		return "is too long for a key";
	in = BIO_new_mem_buf(text.len > 0 ? text.data : (const uint8_t *)"", (int)text.len);
	if (in == NULL)
		return "could not be read: out of memory";
	wrong = read_pem(in, text, der);
	BIO_free(in);
	ERR_clear_error();
	return wrong;
}

/* ---- The TPM's structures ---- */

/* Unmarshals, then marshals again: a length inside that does not fit the outer one shows. */
static bool read_public(struct bytes in, TPM2B_PUBLIC *out)
{
	uint8_t again[STRUCTURE_MAX];
	size_t at = 0, written = 0;

	*out = (TPM2B_PUBLIC){0};
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(in.data, in.len, &at, out) != TSS2_RC_SUCCESS ||
		at != in.len)
		return false;
	return Tss2_MU_TPM2B_PUBLIC_Marshal(out, again, sizeof(again), &written) ==
		       TSS2_RC_SUCCESS &&
	       bytes_equal(BYTES(again, written), in);
}

static bool read_private(struct bytes in, TPM2B_PRIVATE *out)
{
	size_t at = 0;

	*out = (TPM2B_PRIVATE){0};
	return Tss2_MU_TPM2B_PRIVATE_Unmarshal(in.data, in.len, &at, out) == TSS2_RC_SUCCESS &&
	       at == in.len && out->size > 0;
}

static bool read_secret(struct bytes in, TPM2B_ENCRYPTED_SECRET *out)
{
	size_t at = 0;

	*out = (TPM2B_ENCRYPTED_SECRET){0};
	return Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(in.data, in.len, &at, out) ==
		       TSS2_RC_SUCCESS &&
	       at == in.len && out->size > 0;
}

static bool is_parent(uint64_t handle)
{
	return handle == TPM2_RH_OWNER || handle == TPM2_RH_ENDORSEMENT ||
	       handle == TPM2_RH_PLATFORM || handle == TPM2_RH_NULL ||
	       (handle <= UINT32_MAX && (handle & PERSISTENT_MASK) == TPM_PERSISTENT_FIRST);
}

static const char *take_structures(const struct key_envelope *envelope, struct tpm_key_file *out)
{
	if (!is_parent(envelope->parent))
		return "names a parent that is neither a hierarchy nor a persistent object";
	out->parent = (TPM2_HANDLE)envelope->parent;
	if (!read_public(envelope->public, &out->public))
		return "has a malformed public part";
	if (!read_private(envelope->private, &out->private))
		return "has a malformed private part";
	if (out->kind == TPM_KEY_IMPORTABLE && !read_secret(envelope->secret, &out->secret))
		return "has a malformed secret, without which it can't be imported";
	if (out->kind == TPM_KEY_LOADABLE && envelope->secret.len > 0)
		return "has a secret although it is no importable key";
	return NULL;
}

/* What it is, once it is known to be well-formed; NULL: a key that may sign. */
static const char *not_usable(const struct key_envelope *envelope, const struct tpm_key_file *file)
{
	const TPMT_PUBLIC *public = &file->public.publicArea;

	if (envelope->has_policy || public->authPolicy.size > 0)
		return "wants a policy to be met, which is not known here";
	if (public->type != TPM2_ALG_RSA && public->type != TPM2_ALG_ECC)
		return "holds no RSA or ECDSA key";
	if ((public->objectAttributes & TPMA_OBJECT_RESTRICTED) != 0)
		return "holds a key that signs only what its TPM made up, or a storage key";
	return NULL;
}

static enum ks_error take_kind(
	const struct key_envelope *envelope, struct tpm_key_file *out, const char **wrong)
{
	switch (envelope->type) {
	case KEY_ENVELOPE_LOADABLE:
		out->kind = TPM_KEY_LOADABLE;
		return KS_OK;
	case KEY_ENVELOPE_IMPORTABLE:
		out->kind = TPM_KEY_IMPORTABLE;
		return KS_OK;
	case KEY_ENVELOPE_SEALED:
		*wrong = "holds sealed data, not a key";
		return KS_UNSUPPORTED;
	case KEY_ENVELOPE_OTHER:
		break;
	}
	*wrong = "is of a type that is not known here";
	return KS_UNSUPPORTED;
}

static enum ks_error take_envelope(
	const struct key_envelope *envelope, struct tpm_key_file *out, const char **wrong)
{
	enum ks_error error = take_kind(envelope, out, wrong);

	if (error != KS_OK)
		return error;
	out->empty_auth = envelope->empty_auth;
	out->rsa_parent = envelope->rsa_parent;
	*wrong = take_structures(envelope, out);
	if (*wrong != NULL)
		return KS_BAD_INPUT;
	*wrong = not_usable(envelope, out);
	if (*wrong != NULL)
		return KS_UNSUPPORTED;
	if (envelope->description.len == 0)
		return KS_OK;
	if (envelope->description.len > TPM_KEY_DESCRIPTION_MAX ||
		memchr(envelope->description.data, '\0', envelope->description.len) != NULL) {
		*wrong = "has a description that is too long, or no text";
		return KS_BAD_INPUT;
	}
	out->description =
		strndup((const char *)envelope->description.data, envelope->description.len);
	return out->description != NULL ? KS_OK : KS_NO_MEMORY;
}

enum ks_error tpm_key_file_parse(struct bytes text, struct tpm_key_file *out, const char **wrong)
{
	AUTO(buf) der = {.max = TPM_KEY_FILE_MAX};
	struct key_envelope envelope;
	enum ks_error error;

	*out = (struct tpm_key_file){0};
	*wrong = unwrap_pem(text, &der);
	if (*wrong != NULL)
		return KS_BAD_INPUT;
	*wrong = "could not be read: out of memory";
	if (buf_status(&der) != KS_OK)
		return KS_NO_MEMORY;
	if (!key_envelope_read(buf_bytes(&der), &envelope)) {
		*wrong = "is not built as a key of a TPM is, or has bytes left over";
		return KS_BAD_INPUT;
	}
	error = take_envelope(&envelope, out, wrong);
	key_envelope_deinit(&envelope);
	if (error != KS_OK)
		tpm_key_file_deinit(out);
	return error;
}

void tpm_key_file_deinit(struct tpm_key_file *file)
{
	free(file->description);
	*file = (struct tpm_key_file){0};
}

/* ---- Writing ---- */

static bool put_pem(struct bytes der, struct buf *out)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *data = NULL;
	bool good = text != NULL && PEM_write_bio(text, PEM_NAME, "", der.data, (long)der.len) > 0;
	long len = good ? BIO_get_mem_data(text, &data) : 0;

	if (len > 0)
		buf_put(out, BYTES((const uint8_t *)data, (size_t)len));
	BIO_free(text);
	ERR_clear_error();
	return len > 0;
}

enum ks_error tpm_key_file_put(const struct tpm_key_file *file, struct buf *out)
{
	uint8_t public[STRUCTURE_MAX], private[STRUCTURE_MAX], secret[STRUCTURE_MAX];
	size_t public_len = 0, private_len = 0, secret_len = 0;
	bool importable = file->kind == TPM_KEY_IMPORTABLE;
	AUTO(buf) der = {.max = TPM_KEY_FILE_MAX};

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(&file->public, public, sizeof(public), &public_len) !=
			TSS2_RC_SUCCESS ||
		Tss2_MU_TPM2B_PRIVATE_Marshal(
			&file->private, private, sizeof(private), &private_len) != TSS2_RC_SUCCESS)
		return KS_BAD_INPUT;
	if (importable && Tss2_MU_TPM2B_ENCRYPTED_SECRET_Marshal(&file->secret, secret,
				  sizeof(secret), &secret_len) != TSS2_RC_SUCCESS)
		return KS_BAD_INPUT;
	const struct key_envelope envelope = {
		.type = importable ? KEY_ENVELOPE_IMPORTABLE : KEY_ENVELOPE_LOADABLE,
		.empty_auth = file->empty_auth,
		.rsa_parent = file->rsa_parent,
		.parent = file->parent,
		.public = BYTES(public, public_len),
		.private = BYTES(private, private_len),
		.secret = BYTES(secret, secret_len),
		.description = bytes_of(file->description)};
	if (!key_envelope_put(&envelope, &der) || buf_status(&der) != KS_OK)
		return KS_NO_MEMORY;
	return put_pem(buf_bytes(&der), out) ? KS_OK : KS_NO_MEMORY;
}

/* ---- The file system ---- */

static enum ks_error judge_open(int error, const char **wrong)
{
	if (error == ENOENT || error == ENOTDIR) {
		*wrong = "is not there";
		return KS_NO_KEY;
	}
	*wrong = error == EACCES || error == EPERM ? "may not be read" : "can't be opened";
	return KS_NOT_ALLOWED;
}

static enum ks_error judge_facts(const struct stat *facts, const char **wrong)
{
	*wrong = NULL;
	if (!S_ISREG(facts->st_mode))
		*wrong = "is no regular file";
	else if (facts->st_uid != geteuid() && facts->st_uid != 0)
		*wrong = "belongs to somebody else";
	else if ((facts->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		*wrong = "may be read or written by others; chmod 600 it";
	if (*wrong != NULL)
		return KS_NOT_ALLOWED;
	if (facts->st_size <= (off_t)TPM_KEY_FILE_MAX)
		return KS_OK;
	*wrong = "is too long for a key";
	return KS_BAD_INPUT;
}

enum ks_error tpm_key_file_read(const char *path, struct buf *text, const char **wrong)
{
	/* Without O_NONBLOCK a named pipe would be waited for. */
	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat facts;
	ssize_t got;

	if (fd < 0)
		return judge_open(errno, wrong);
	*wrong = "can't be read";
	if (fstat(fd, &facts) != 0)
		return KS_NOT_ALLOWED;
	enum ks_error error = judge_facts(&facts, wrong);
	if (error != KS_OK)
		return error;
	size_t begin = text->len;
	do {
		uint8_t *at = buf_reserve(text, TPM_KEY_FILE_MAX + 1 - (text->len - begin));

		*wrong = "could not be read: out of memory";
		if (at == NULL)
			return KS_NO_MEMORY;
		got = read(fd, at, TPM_KEY_FILE_MAX + 1 - (text->len - begin));
		if (got > 0)
			text->len += (size_t)got;
	} while (text->len - begin <= TPM_KEY_FILE_MAX && (got > 0 || (got < 0 && errno == EINTR)));
	*wrong = got < 0 ? "can't be read" : got > 0 ? "is too long for a key" : NULL;
	return *wrong == NULL ? KS_OK : KS_BAD_INPUT;
}
