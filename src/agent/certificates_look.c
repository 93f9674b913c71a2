/*
 * See certificates_look.h. A certificate is a user's, for one key, and bears its authority's
 * signature: OpenSSL verifies that, as a file that was cut or changed would cost a login one of its
 * tries. Whether the authority may speak for a host is that host's to know.
 */
#include "certificates_look.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#define FILE_MAX ((size_t)64 * 1024)
#define ENTRIES_MAX 10000 /* of a folder */
#define WATCHED                                                                                    \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |               \
		IN_MOVE_SELF | IN_ONLYDIR)

/* ---- One file ---- */

/* "TYPE BASE64 comment" in the file's first line; false where it is none. */
static bool decode_line(struct bytes text, struct buf *blob)
{
	const uint8_t *end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;
	const uint8_t *blank;
	uint8_t *room;
	int got;

	if (end != NULL)
		text.len = (size_t)(end - text.data);
	blank = text.len > 0 ? memchr(text.data, ' ', text.len) : NULL;
	if (blank == NULL)
		return false;
	text = BYTES(blank + 1, text.len - (size_t)(blank + 1 - text.data));
	blank = text.len > 0 ? memchr(text.data, ' ', text.len) : NULL;
	if (blank != NULL)
		text.len = (size_t)(blank - text.data);
	if (text.len == 0 || text.len % 4 != 0)
		return false;
	room = buf_reserve(blob, text.len / 4 * 3);
	got = room == NULL ? -1 : EVP_DecodeBlock(room, text.data, (int)text.len);
	if (got < 0)
		return false;
	blob->len += (size_t)got;
	for (size_t i = 1; i <= 2 && text.data[text.len - i] == '='; i++)
		blob->len--;
	return true;
}

/* Static words for what is wrong with it, NULL: nothing. */
static const char *judge(struct bytes text, struct certificate_file *file)
{
	if (!decode_line(text, &file->blob) ||
		public_key_parse(buf_bytes(&file->blob), &file->key) != KS_OK ||
		!file->key->certificate)
		return "it is no certificate of OpenSSH, or is not whole";
	if (file->key->certificate_type != CERTIFICATE_USER)
		return "it is a host's certificate";
	/* One by a key that is too large to be tried is left to the server. */
	switch (public_key_verify_certificate(
		file->key, buf_bytes(&file->blob), PERMIT_NOTHING_OLD, NULL)) {
	case KS_OK:
	case KS_UNSUPPORTED:
		return NULL;
	default:
		return "its authority's signature is not good";
	}
}

/* A fifo would be waited for, a device never ends. NULL: nothing is wrong; "": it has gone. */
static const char *read_text(const char *path, struct buf *text)
{
	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	uint8_t *room = buf_reserve(text, FILE_MAX);
	ssize_t got = 1;

	if (fd < 0 || room == NULL || fstat(fd, &status) != 0)
		return "it can't be read";
	if (!S_ISREG(status.st_mode) || status.st_size > (off_t)FILE_MAX)
		return "it is no file, or is over 64 KiB";
	while (got > 0 && text->len < FILE_MAX) {
		got = read(fd, room + text->len, FILE_MAX - text->len);
		text->len += got > 0 ? (size_t)got : 0;
	}
	return got < 0 ? "it can't be read" : NULL;
}

static void read_file(struct certificate_file *file)
{
	AUTO(buf) text = {0};

	file->trouble = read_text(file->path, &text);
	if (file->trouble == NULL)
		file->trouble = judge(buf_bytes(&text), file);
	if (file->trouble != NULL)
		public_key_free(&file->key);
}

/* ---- All of them ---- */

static bool is_there(const struct certificate_files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->all[i].path, path) == 0)
			return true;
	return false;
}

static void look_at(struct certificate_files *out, const char *folder, const char *name)
{
	AUTO(text) path = text_format("%s/%s", folder, name);
	struct certificate_file *longer;

	if (path == NULL || is_there(out, path))
		return;
	out->more = out->more || out->count == CERTIFICATE_FILES_MAX;
	if (out->more)
		return;
	longer = reallocarray(out->all, out->count + 1, sizeof(*longer));
	if (longer == NULL)
		return;
	out->all = longer;
	longer[out->count] = (struct certificate_file){.path = TAKE_TEXT(path)};
	longer[out->count].blob.max = FILE_MAX;
	read_file(&longer[out->count++]);
}

static int by_path(const void *one, const void *other)
{
	const struct certificate_file *left = one, *right = other;

	return strcmp(left->path, right->path);
}

static void look_through(const char *pattern, int inotify, struct certificate_files *out)
{
	const char *name = strrchr(pattern, '/') + 1;
	AUTO(text) folder = strndup(pattern, (size_t)(name - pattern));
	const struct dirent *entry;
	unsigned entries = 0;
	DIR *all;

	/* Before it is read, so that nothing changes unseen. */
	if (folder == NULL || (inotify >= 0 && inotify_add_watch(inotify, folder, WATCHED) < 0))
		return;
	all = opendir(folder);
	folder[strlen(folder) - 1] = '\0';
	while (all != NULL && entries++ < ENTRIES_MAX && (entry = readdir(all)) != NULL)
		if (entry->d_name[0] != '.' && text_match(entry->d_name, name))
			look_at(out, folder, entry->d_name);
	if (all != NULL)
		closedir(all);
}

void certificates_look(char *const *patterns, int inotify, struct certificate_files *out)
{
	*out = (struct certificate_files){0};
	for (; *patterns != NULL; patterns++)
		look_through(*patterns, inotify, out);
	if (out->count > 1)
		qsort(out->all, out->count, sizeof(*out->all), by_path);
	/* What OpenSSL keeps for each thread would stay until the end, and not go then. */
	OPENSSL_thread_stop();
}

void certificate_files_deinit(struct certificate_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->all[i].path);
		buf_deinit(&files->all[i].blob);
		public_key_free(&files->all[i].key);
	}
	free(files->all);
	*files = (struct certificate_files){0};
}

bool certificate_files_same(
	const struct certificate_files *one, const struct certificate_files *other)
{
	if (one->count != other->count || one->more != other->more)
		return false;
	for (size_t i = 0; i < one->count; i++) {
		const struct certificate_file *left = &one->all[i], *right = &other->all[i];

		if (strcmp(left->path, right->path) != 0 || left->trouble != right->trouble ||
			!bytes_equal(buf_bytes(&left->blob), buf_bytes(&right->blob)))
			return false;
	}
	return true;
}
