/* See roots.h. */
#include "roots.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#define SYSTEM "/etc/keystile/attestation"
#define FILE_MAX ((size_t)256 * 1024)
#define FILES_MAX 64
#define CERTIFICATES_MAX 256

/* ---- One file ---- */

/* Static words for what is wrong with it; NULL: nothing. */
static const char *read_text(int folder, const char *name, struct buf *text)
{
	AUTO(fd) fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t *room = buf_reserve(text, FILE_MAX);
	struct stat status;
	ssize_t got = 1;

	if (fd < 0 || room == NULL || fstat(fd, &status) != 0)
		return "it can't be read";
	if (!S_ISREG(status.st_mode) || status.st_size > (off_t)FILE_MAX)
		return "it is no file, or is over 256 KiB";
	if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & 022) != 0)
		return "others can change it";
	while (got > 0 && text->len < FILE_MAX) {
		got = read(fd, room + text->len, FILE_MAX - text->len);
		text->len += got > 0 ? (size_t)got : 0;
	}
	return got < 0 ? "it can't be read" : NULL;
}

static bool signed_itself(X509 *certificate)
{
	return X509_self_signed(certificate, 1) == 1;
}

/* False: no memory. The certificate is the callee's. */
static bool keep(struct roots *roots, X509 *certificate)
{
	bool good;

	if (signed_itself(certificate)) {
		good = X509_STORE_add_cert(roots->trusted, certificate) == 1;
		roots->count += good;
		X509_free(certificate);
		return good;
	}
	good = sk_X509_push(roots->links, certificate) > 0;
	if (!good)
		X509_free(certificate);
	return good;
}

static enum ks_error keep_all(struct roots *roots, struct bytes text, size_t *found)
{
	BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
	enum ks_error error = bio == NULL ? KS_NO_MEMORY : KS_OK;
	X509 *certificate;

	*found = 0;
	while (error == KS_OK && *found < CERTIFICATES_MAX &&
		(certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		*found += 1;
		if (!keep(roots, certificate))
			error = KS_NO_MEMORY;
	}
	ERR_clear_error(); /* that no more is there */
	BIO_free(bio);
	return error;
}

static enum ks_error take_file(struct roots *roots, int folder, const char *name)
{
	AUTO(buf) text = {.max = FILE_MAX};
	const char *trouble = read_text(folder, name, &text);
	char quoted[TEXT_WORDS_MAX];
	enum ks_error error = KS_OK;
	size_t found = 0;

	if (trouble == NULL) {
		error = keep_all(roots, buf_bytes(&text), &found);
		if (error == KS_OK && found == 0)
			trouble = "there is no certificate in PEM in it";
	}
	if (trouble != NULL)
		log_warning("attestation: %s is left out: %s",
			text_quote_words(bytes_of(name), quoted), trouble);
	return error;
}

/* ---- The folders ---- */

static enum ks_error take_folder(struct roots *roots, const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	enum ks_error error = KS_OK;
	unsigned files = 0;

	while (folder != NULL && error == KS_OK && (entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.' && files++ < FILES_MAX)
			error = take_file(roots, dirfd(folder), entry->d_name);
	if (folder != NULL)
		closedir(folder);
	return error;
}

static char *own_folder(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (config != NULL && config[0] == '/')
		return text_format("%s/keystile/attestation", config);
	if (home != NULL && home[0] == '/')
		return text_format("%s/.config/keystile/attestation", home);
	return NULL;
}

enum ks_error roots_read(struct roots *out)
{
	AUTO(text) own = own_folder();
	enum ks_error error;

	*out = (struct roots){.trusted = X509_STORE_new(), .links = sk_X509_new_null()};
	if (out->trusted == NULL || out->links == NULL)
		return KS_NO_MEMORY;
	error = take_folder(out, SYSTEM);
	if (error == KS_OK && own != NULL)
		error = take_folder(out, own);
	return error;
}

void roots_deinit(struct roots *roots)
{
	X509_STORE_free(roots->trusted);
	sk_X509_pop_free(roots->links, X509_free);
	*roots = (struct roots){0};
}
