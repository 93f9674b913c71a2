/*
 * The file of resident keys: $XDG_STATE_HOME/keystile/fido2.json. Nothing in it is secret; it tells
 * which accounts a person has keys for, so it is nobody else's to read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "residents.h"

#define FILE_MAX ((size_t)2 * 1024 * 1024)
#define FILE_NAME "fido2.json"

/* The caller frees it; NULL: there is no home. */
static char *folder_path(void)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (state != NULL && state[0] == '/')
		return text_format("%s/keystile", state);
	return home != NULL && home[0] == '/' ? text_format("%s/.local/state/keystile", home)
					      : NULL;
}

/* ---- Reading ---- */

static bool put_base64(const char *text, struct buf *out)
{
	size_t len = strlen(text);
	uint8_t *room = len % 4 == 0 && len <= FILE_MAX ? buf_reserve(out, len / 4 * 3 + 1) : NULL;
	int got = room == NULL ? -1 : EVP_DecodeBlock(room, (const unsigned char *)text, (int)len);

	if (got < 0)
		return false;
	for (size_t i = len; i > 0 && i + 2 > len && text[i - 1] == '='; i--)
		got--;
	out->len += got > 0 ? (size_t)got : 0;
	return got > 0;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static void read_key(struct residents *residents, const json_t *entry)
{
	AUTO(buf) key = {0};
	struct resident *resident = NULL;
	unsigned place;

	if (put_base64(text_of(entry, "key"), &key))
		resident = resident_of_file(buf_bytes(&key), text_of(entry, "user"),
			text_of(entry, "model"), text_of(entry, "group"));
	if (resident != NULL && residents_put(residents, resident, &place))
		return;
	log_warning("a resident key in " FILE_NAME " makes no sense: left out");
	resident_free(resident);
}

/* The person's own, that nobody else may have written. */
static int open_own(const char *path)
{
	AUTO(fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	if (fd < 0) {
		if (errno != ENOENT)
			log_warning("%s can't be read: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
		(status.st_mode & 022) == 0 && status.st_size <= (off_t)FILE_MAX)
		return TAKE_FD(fd);
	log_warning("%s is not read: it may be somebody else's", path);
	return -1;
}

json_t *residents_file_read(void)
{
	AUTO(text) folder = folder_path();
	AUTO(text) path = folder == NULL ? NULL : text_format("%s/" FILE_NAME, folder);
	AUTO(fd) fd = path == NULL ? -1 : open_own(path);
	json_t *file = fd < 0 ? NULL : json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	const json_t *keys = json_object_get(file, "keys");

	if (fd >= 0 && !json_is_array(keys))
		log_warning("%s makes no sense: load resident keys again", path);
	return file;
}

void residents_take_file(struct residents *residents, const json_t *file)
{
	const json_t *keys = json_object_get(file, "keys");

	for (size_t i = 0; i < json_array_size(keys); i++)
		read_key(residents, json_array_get(keys, i));
}

/* ---- Writing ---- */

static json_t *base64_of(struct bytes bytes)
{
	size_t room = (bytes.len + 2) / 3 * 4 + 1;
	AUTO(text) text = malloc(room);

	if (text == NULL)
		return NULL;
	EVP_EncodeBlock((unsigned char *)text, bytes.data, (int)bytes.len);
	return json_string(text);
}

json_t *residents_file_of(const struct residents *residents)
{
	json_t *keys = json_array();

	for (unsigned i = 0; i < RESIDENTS_MAX; i++) {
		const struct resident *resident = residents->at[i];

		if (resident != NULL)
			json_array_append_new(
				keys, json_pack("{s:o,s:s,s:s,s:s}", "key",
					      base64_of(buf_bytes(&resident->key)), "user",
					      resident->user, "model", resident->model, "group",
					      resident->group));
	}
	return json_pack("{s:o}", "keys", keys);
}

static bool make_folders(const char *path)
{
	AUTO(text) copy = strdup(path);
	char *at = copy;

	if (copy == NULL)
		return false;
	while ((at = strchr(at + 1, '/')) != NULL) {
		*at = '\0';
		(void)mkdir(copy, 0700);
		*at = '/';
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Whole or not at all. */
static bool write_whole(const char *path, const json_t *file)
{
	AUTO(text) beside = text_format("%s.%d", path, (int)getpid());
	AUTO(fd) fd = -1;
	bool written;

	if (beside == NULL)
		return false;
	(void)unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	written = fd >= 0 && json_dumpfd(file, fd, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0 &&
		  fsync(fd) == 0 && rename(beside, path) == 0;
	if (!written && fd >= 0)
		(void)unlink(beside);
	return written;
}

void residents_file_write(const json_t *file)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	AUTO(text) folder = folder_path();
	AUTO(text) path = folder == NULL ? NULL : text_format("%s/" FILE_NAME, folder);

	pthread_mutex_lock(&one_at_a_time);
	if (path == NULL || file == NULL || !make_folders(folder) || !write_whole(path, file))
		log_warning("resident keys can't be remembered in %s: they are loaded again after "
			    "the agent has started anew",
			path != NULL ? path : "a file");
	pthread_mutex_unlock(&one_at_a_time);
}
