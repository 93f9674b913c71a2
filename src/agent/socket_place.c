/*
 * See socket_place.h.
 */
#include "socket_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#define NAME_LEN 10 /* of the host's hash and of the random part */
#define STALE_AFTER_S 3600
#define TRIES 16

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static void spell(const uint8_t *bytes, char out[NAME_LEN + 1])
{
	for (size_t i = 0; i < NAME_LEN; i++)
		out[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	out[NAME_LEN] = '\0';
}

/* As OpenSSH makes it, so that both clean up the same sockets. */
static bool host_hash(char out[NAME_LEN + 1])
{
	char host[1025] = "";
	uint8_t hash[EVP_MAX_MD_SIZE];

	if (gethostname(host, sizeof(host) - 1) != 0 ||
		EVP_Digest(host, strlen(host), hash, NULL, EVP_sha512(), NULL) != 1)
		return false;
	spell(hash, out);
	return true;
}

static const char *home(void)
{
	const char *folder = getenv("HOME");
	const struct passwd *entry;

	if (folder != NULL && folder[0] != '\0')
		return folder;
	entry = getpwuid(getuid());
	return entry == NULL ? NULL : entry->pw_dir;
}

static char *absolute_path(const char *path)
{
	AUTO(text) folder = path[0] == '/' ? NULL : getcwd(NULL, 0);

	if (path[0] == '/')
		return strdup(path);
	return folder == NULL ? NULL : text_format("%s/%s", folder, path);
}

enum ks_error socket_place_at(const char *path, struct socket_place *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int failed;

	*out = (struct socket_place){.fd = -1};
	/* An empty one would become a name in no folder, where no permissions count. */
	if (path[0] == '\0' || strlen(path) >= sizeof(address.sun_path)) {
		log_error("the path of the socket is %s: \"%s\"",
			path[0] == '\0' ? "empty" : "too long", path);
		return KS_BAD_INPUT;
	}
	strcpy(address.sun_path, path);
	out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->fd < 0)
		return KS_NO_MEMORY;
	mask = umask(0177);
	failed = bind(out->fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (failed != 0) {
		int reason = errno;

		close(out->fd);
		out->fd = -1;
		if (reason != EADDRINUSE)
			log_error("cannot make the socket %s: %s", path, strerror(reason));
		return reason == EADDRINUSE ? KS_BUSY : KS_NOT_ALLOWED;
	}
	out->path = strdup(path);
	out->absolute = absolute_path(path);
	return out->path == NULL || out->absolute == NULL ? KS_NO_MEMORY : KS_OK;
}

void socket_place_deinit(struct socket_place *place)
{
	free(place->path);
	free(place->absolute);
	free(place->folder);
	*place = (struct socket_place){.fd = -1};
}

static bool make_private(const char *folder)
{
	if (mkdir(folder, 0700) == 0 || errno == EEXIST)
		return true;
	log_error("cannot make the folder %s: %s", folder, strerror(errno));
	return false;
}

enum ks_error socket_place_home(struct socket_place *out)
{
	AUTO(text) dot_ssh = home() == NULL ? NULL : text_format("%s/.ssh", home());
	AUTO(text) folder = dot_ssh == NULL ? NULL : text_format("%s/agent", dot_ssh);
	char host[NAME_LEN + 1];
	enum ks_error error = KS_BUSY;

	*out = (struct socket_place){.fd = -1};
	if (folder == NULL || !host_hash(host) || !make_private(dot_ssh) || !make_private(folder))
		return KS_NOT_ALLOWED;
	for (int i = 0; error == KS_BUSY && i < TRIES; i++) {
		uint8_t random[NAME_LEN];
		char name[NAME_LEN + 1];
		AUTO(text) path = NULL;

		if (RAND_bytes(random, sizeof(random)) != 1)
			return KS_NO_MEMORY;
		spell(random, name);
		path = text_format("%s/s.%s.agent.%s", folder, host, name);
		error = path == NULL ? KS_NO_MEMORY : socket_place_at(path, out);
	}
	return error;
}

enum ks_error socket_place_tmp(struct socket_place *out)
{
	const char *tmp = getenv("TMPDIR");
	AUTO(text) folder =
		text_format("%s/ssh-XXXXXXXXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
	AUTO(text) path = NULL;
	enum ks_error error;

	*out = (struct socket_place){.fd = -1};
	if (folder == NULL || mkdtemp(folder) == NULL) {
		log_error("cannot make a folder for the socket: %s", strerror(errno));
		return KS_NOT_ALLOWED;
	}
	path = text_format("%s/agent.%ld", folder, (long)getpid());
	error = path == NULL ? KS_NO_MEMORY : socket_place_at(path, out);
	if (error != KS_OK) {
		rmdir(folder);
		return error;
	}
	out->folder = TAKE_TEXT(folder);
	return KS_OK;
}

/* Nobody listens: the connection is refused at once. */
static bool is_stale(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO(fd) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
	       errno == ECONNREFUSED;
}

static void clean_entry(int folder, const char *path, const char *name)
{
	AUTO(text) full = text_format("%s/%s", path, name);
	struct stat status;

	if (full == NULL || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
		!S_ISSOCK(status.st_mode) || status.st_mtime > time(NULL) - STALE_AFTER_S)
		return;
	if (is_stale(full))
		unlinkat(folder, name, 0);
}

void socket_place_clean_up(bool any_host)
{
	AUTO(text) path = home() == NULL ? NULL : text_format("%s/.ssh/agent", home());
	char host[NAME_LEN + 1];
	char prefix[NAME_LEN + 4];
	DIR *folder = path == NULL ? NULL : opendir(path);
	const struct dirent *entry;

	if (folder == NULL)
		return;
	if (host_hash(host)) {
		snprintf(prefix, sizeof(prefix), "s.%s.", host);
		while ((entry = readdir(folder)) != NULL)
			if (any_host || strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
				clean_entry(dirfd(folder), path, entry->d_name);
	}
	closedir(folder);
}

static bool is_private(const char *folder)
{
	struct stat status;

	if (lstat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == getuid() &&
		(status.st_mode & 0077) == 0)
		return true;
	log_error("%s is not a folder of our own with mode 0700", folder);
	return false;
}

enum ks_error socket_place_make_folder(const char *folder)
{
	AUTO(text) parent = strdup(folder);
	char *slash = parent == NULL ? NULL : strrchr(parent, '/');

	if (slash == NULL)
		return KS_BAD_INPUT;
	*slash = '\0';
	if (!make_private(parent) || !is_private(parent) || !make_private(folder) ||
		!is_private(folder))
		return KS_NOT_ALLOWED;
	return KS_OK;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? NULL : strndup(path, (size_t)(slash - path));
}

/* An agent that was killed leaves its sockets behind. */
static bool is_our_leftover(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_uid == getuid() &&
	       is_stale(path);
}

static enum ks_error bind_and_listen(const char *path, unsigned mode, struct socket_place *out)
{
	enum ks_error error = socket_place_at(path, out);

	if (error == KS_BUSY && is_our_leftover(path) && unlink(path) == 0) {
		socket_place_deinit(out);
		error = socket_place_at(path, out);
	}
	if (error != KS_OK)
		return error;
	/* The folder is ours alone: what lies there is what was just made. */
	if (listen(out->fd, SOCKET_BACKLOG) == 0 && chmod(path, mode) == 0)
		return KS_OK;
	unlink(path);
	close(out->fd);
	out->fd = -1;
	return KS_DEVICE_FAILED;
}

enum ks_error socket_place_listener(const char *path, unsigned mode, struct socket_place *out)
{
	AUTO(text) folder = folder_of(path);
	AUTO(fd) guard = -1;

	*out = (struct socket_place){.fd = -1};
	if (folder == NULL || !make_private(folder) || !is_private(folder))
		return KS_NOT_ALLOWED;
	/* From looking whether somebody listens until we do, no other agent of ours may look. */
	guard = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (guard < 0 || flock(guard, LOCK_EX | LOCK_NB) != 0)
		return KS_BUSY;
	return bind_and_listen(path, mode, out);
}
