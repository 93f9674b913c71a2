/*
 * Small files in a folder of our own.
 */
#include "remembered.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/sha.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#define DIGEST_SHOWN 16

char *remembered_folder(void)
{
	const char *own = getenv("KEYSTILE_TPM2_STATE");
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (own != NULL && own[0] == '/')
		return strdup(own);
	if (state != NULL && state[0] == '/')
		return text_format("%s/keystile/tpm2", state);
	if (home != NULL && home[0] == '/')
		return text_format("%s/.local/state/keystile/tpm2", home);
	return NULL;
}

void remembered_make(const char *folder)
{
	AUTO(text) path = strdup(folder);

	if (path == NULL)
		return;
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		log_warning("%s can't be made: %s", path, strerror(errno));
}

char *remembered_file(const char *folder, const char *words, struct bytes about)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char hex[2 * DIGEST_SHOWN + 1];

	SHA256(about.data, about.len, digest);
	text_hex(BYTES(digest, DIGEST_SHOWN), hex);
	return text_format("%s/%s-%s", folder, words, hex);
}

enum ks_error remembered_read(const char *file, struct buf *content)
{
	uint8_t bytes[REMEMBERED_MAX + 1];
	AUTO(fd) fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return errno == ENOENT ? KS_NO_KEY : KS_BAD_INPUT;
	got = read(fd, bytes, sizeof(bytes));
	if (got <= 0 || got > REMEMBERED_MAX)
		return KS_BAD_INPUT;
	buf_put(content, BYTES(bytes, (size_t)got));
	return buf_status(content);
}

static bool write_whole(const char *path, struct bytes content)
{
	AUTO(fd) fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd >= 0 && write(fd, content.data, content.len) == (ssize_t)content.len &&
	       fsync(fd) == 0;
}

enum ks_error remembered_write(const char *file, struct bytes content)
{
	AUTO(text) fresh = text_format("%s.new", file);

	if (fresh == NULL)
		return KS_NO_MEMORY;
	if (write_whole(fresh, content) && rename(fresh, file) == 0)
		return KS_OK;
	log_warning("%s can't be written: %s", file, strerror(errno));
	(void)unlink(fresh);
	return KS_DEVICE_FAILED;
}
