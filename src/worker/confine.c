/*
 * Which paths are granted to whom, and the words for what the kernel lacks. The walls themselves
 * are landlock.c and syscall_filter.c.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "landlock.h"
#include "syscall_filter.h"

/* What the C library, the loader and OpenSSL read in any program. Programs may not be started. */
static const char *const common_paths[] = {
	"/usr/lib",
	"/usr/lib32",
	"/usr/lib64",
	"/usr/local/lib",
	"/lib",
	"/lib64",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/etc/ssl/openssl.cnf",
	"/etc/pki/tls/openssl.cnf",
	"/etc/crypto-policies",
	"/usr/share/crypto-policies",
	"/usr/share/zoneinfo",
	"/dev/random",
	"/dev/urandom",
	"/proc/cpuinfo",
	"/proc/meminfo",
	"/sys/devices/system/cpu",
#ifdef KEYSTILE_SANITIZED
	"/proc", /* their reports name the places in the code */
	KEYSTILE_SANITIZER_FILES,
#endif
	NULL,
};

/* First error stays. */
struct walls {
	struct landlock landlock;
	enum ks_error error;
};

static void grant(struct walls *walls, const char *path, enum landlock_access access)
{
	if (walls->error == KS_OK)
		walls->error = landlock_grant(&walls->landlock, path, access);
}

/* A name that was resolved and judged: a link that came since then leads to something else. */
static void grant_exactly(struct walls *walls, const char *path, enum landlock_access access)
{
	if (walls->error == KS_OK)
		walls->error = landlock_grant_exactly(&walls->landlock, path, access);
}

/*
 * "$NAME/rest" with the variable's value, which must be an absolute path; the text itself when it
 * does not begin so. NULL: not set, or no memory, and then nothing is granted.
 */
static char *expand(const char *path)
{
	size_t len = path[0] == '$' ? strcspn(path, "/") : 0;
	AUTO(text) name = len > 0 ? strndup(path + 1, len - 1) : NULL;
	const char *value = name != NULL ? getenv(name) : NULL;

	if (len == 0)
		return strdup(path);
	if (value == NULL || value[0] != '/')
		return NULL;
	return text_format("%s%s", value, path + len);
}

/* Those that are there by now. */
static void grant_found(struct walls *walls, const char *pattern, enum landlock_access access)
{
	glob_t found = {0};

	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t n = 0; n < found.gl_pathc; n++)
			grant(walls, found.gl_pathv[n], access);
	}
	globfree(&found);
}

static void grant_list(struct walls *walls, const char *const *paths, enum landlock_access access)
{
	for (size_t i = 0; paths != NULL && paths[i] != NULL; i++) {
		AUTO(text) path = expand(paths[i]);

		if (path != NULL && strchr(paths[i], '*') != NULL)
			grant_found(walls, path, access);
		else if (path != NULL)
			grant(walls, path, access);
	}
}

static void grant_devices(struct walls *walls, const char *const *patterns)
{
	for (size_t i = 0; patterns[i] != NULL; i++)
		grant_found(walls, patterns[i], LANDLOCK_DEVICE);
}

/* The value of "keyword = value" in a file, NULL where there is none; the last one counts. */
static char *value_in(const char *file, const char *keyword)
{
	FILE *in = fopen(file, "re");
	size_t len = strlen(keyword);
	char line[PATH_MAX + 64];
	char *value = NULL;

	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		const char *at = line + strspn(line, " \t");

		if (strncmp(at, keyword, len) != 0)
			continue;
		at += len;
		at += strspn(at, " \t");
		if (*at++ != '=')
			continue;
		at += strspn(at, " \t");
		free(value);
		value = strndup(at, strcspn(at, "\r\n"));
	}
	if (in != NULL)
		fclose(in);
	return value;
}

static void grant_named_state(struct walls *walls, const char *const *pairs)
{
	for (size_t i = 0; pairs[i] != NULL; i += 2) {
		AUTO(text) file = expand(pairs[i]);
		AUTO(text) folder = file != NULL ? value_in(file, pairs[i + 1]) : NULL;

		if (folder != NULL && folder[0] == '/')
			grant(walls, folder, LANDLOCK_WRITE);
	}
}

/* A log that a variable names is made here, as the folder in which it lies is not granted. */
static void make_named_files(const char *const *paths)
{
	for (size_t i = 0; paths[i] != NULL; i++) {
		AUTO(text) path = paths[i][0] == '$' && strchr(paths[i], '/') == NULL
					  ? expand(paths[i])
					  : NULL;
		int fd = path == NULL
				 ? -1
				 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
					   0600);

		if (fd >= 0)
			close(fd);
	}
}

/*
 * A module finds its other parts beside it. Where that would be the home folder or one above, as
 * the keys of ssh are in there, it has to do with its own file.
 */
static void grant_library(struct walls *walls, const char *library)
{
	const char *home = getenv("HOME");
	const char *slash = strrchr(library, '/');
	AUTO(text) folder = slash > library ? strndup(library, (size_t)(slash - library)) : NULL;
	AUTO(text) real_home = home != NULL ? realpath(home, NULL) : NULL;
	size_t len = folder != NULL ? strlen(folder) : 0;

	grant_exactly(walls, library, LANDLOCK_READ);
	if (folder == NULL)
		return;
	if (real_home != NULL && strncmp(real_home, folder, len) == 0 &&
		(real_home[len] == '\0' || real_home[len] == '/'))
		return;
	grant_exactly(walls, folder, LANDLOCK_READ);
}

/* A file that is no library, and the certificate beside it; not its folder, which may hold keys. */
static void grant_named_file(struct walls *walls, const char *path)
{
	const char *dot = strrchr(path, '.');
	int len = (int)(dot != NULL && dot > strrchr(path, '/') ? dot - path : (long)strlen(path));
	AUTO(text) certificate = text_format("%.*s-cert.pub", len, path);

	grant(walls, path, LANDLOCK_READ);
	if (certificate != NULL)
		grant(walls, certificate, LANDLOCK_READ);
}

/* What the grants say of sockets, and of memory. */
struct doors {
	bool shared_memory;
	bool brokered;
	bool any;
	bool tcp;
	bool abstract;
};

static void note_door(struct doors *doors, uint8_t kind, struct bytes text)
{
	static const char tcp[] = "tcp:";

	if (kind == FRAME_GRANT_BROKERED)
		doors->brokered = true;
	if (kind == FRAME_GRANT_SHARED_MEMORY)
		doors->shared_memory = true;
	if (kind == FRAME_GRANT_CONNECT)
		doors->any = true;
	if (kind == FRAME_GRANT_CONNECT && text.len > 0 && text.data[0] == '@')
		doors->abstract = true;
	if (kind == FRAME_GRANT_CONNECT && text.len >= strlen(tcp) &&
		memcmp(text.data, tcp, strlen(tcp)) == 0)
		doors->tcp = true;
}

static struct doors doors_of(struct bytes grants)
{
	struct reader in = reader_of(grants);
	struct doors doors = {0};

	while (in.left > 0 && !in.failed) {
		uint8_t kind = reader_u8(&in);

		note_door(&doors, kind, reader_string(&in));
	}
	return doors;
}

bool confine_open_memory(int fd)
{
	int opened = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	if (opened < 0 || opened == fd)
		return opened == fd;
	bool there = dup3(opened, fd, O_CLOEXEC) == fd;
	close(opened);
	return there;
}

bool confine_is_brokered(struct bytes grants)
{
	return doors_of(grants).brokered;
}

static void grant_configured(struct walls *walls, struct bytes grants)
{
	struct reader in = reader_of(grants);

	while (in.left > 0) {
		uint8_t kind = reader_u8(&in);
		struct bytes text = reader_string(&in);
		AUTO(text) path = in.failed || text.len == 0
					  ? NULL
					  : strndup((const char *)text.data, text.len);

		if (in.failed)
			break;
		if (path != NULL && kind == FRAME_GRANT_READ)
			grant(walls, path, LANDLOCK_READ);
		else if (path != NULL && kind == FRAME_GRANT_WRITE)
			grant(walls, path, LANDLOCK_WRITE);
	}
	if (in.failed && walls->error == KS_OK)
		walls->error = KS_BAD_INPUT;
}

/* KS_UNSUPPORTED: the kernel has no Landlock. */
static enum ks_error keep_files(const struct ks_needs *needs, const char *library,
	struct bytes grants, struct landlock_leave leave, unsigned *version)
{
	struct walls walls = {.error = KS_OK};
	enum ks_error error = landlock_init(&walls.landlock, leave);

	if (error != KS_OK)
		return error;
	make_named_files(needs->write_paths);
	grant(&walls, "/dev/null", LANDLOCK_DEVICE);
	grant_list(&walls, common_paths, LANDLOCK_READ);
	grant_list(&walls, needs->read_paths, LANDLOCK_READ);
	grant_list(&walls, needs->list_paths, LANDLOCK_LIST);
	grant_list(&walls, needs->write_paths, LANDLOCK_WRITE);
	grant_devices(&walls, needs->device_paths);
	grant_named_state(&walls, needs->state_named_in);
	if (library != NULL && needs->reads_path)
		grant_named_file(&walls, library);
	else if (library != NULL)
		grant_library(&walls, library);
	grant_configured(&walls, grants);
	error = landlock_enforce(&walls.landlock);
	if (walls.error != KS_OK)
		error = walls.error;
	if (error == KS_OK)
		*version = walls.landlock.abi;
	return error == KS_UNSUPPORTED ? KS_DEVICE_FAILED : error;
}

/* Static words; "": nothing is lacking. */
static const char *lacking(const struct frame_confined *confined, bool connects, bool shared_memory)
{
	if (confined->landlock == 0)
		return confined->filtered
			       ? "the kernel has no Landlock: files are not kept from it"
			       : "the kernel has neither Landlock nor seccomp: nothing is "
				 "kept from it";
	if (!confined->filtered)
		return "no seccomp: system calls are not kept from it";
	if (confined->landlock < 4)
		return "the kernel's Landlock is older than version 4: TCP is kept from it by "
		       "seccomp only";
	if (connects)
		return "sockets that have a path are not kept from it";
	if (shared_memory)
		return "System V memory that others have made is granted to it";
	return "";
}

enum ks_error confine_process(const struct ks_needs *needs, const char *library,
	struct bytes grants, struct frame_confined *out, int *notifications)
{
	struct doors doors = doors_of(grants);
	bool alone = notifications != NULL && !(doors.brokered && syscall_filter_can_notify());
	struct landlock_leave leave = {
		.tcp = alone && (doors.tcp || needs->network), .abstract = alone && doors.abstract};
	enum ks_error error = keep_files(needs, library, grants, leave, &out->landlock);
	struct syscall_filter filter = {.needs = needs,
		.connects = doors.any || needs->network || needs->connect_paths[0] != NULL,
		.tcp = doors.tcp || needs->network,
		.shared_memory = doors.shared_memory,
		.connect = FILTER_CONNECT_FREE,
		.notifications = -1};

	if (notifications == NULL)
		filter.connect = FILTER_CONNECT_NEVER;
	else if (doors.brokered)
		filter.connect = FILTER_CONNECT_BROKERED;
	if (error == KS_UNSUPPORTED)
		error = KS_OK;
	if (error == KS_OK) {
		error = syscall_filter_enforce(&filter);
		out->filtered = error == KS_OK;
		if (error == KS_UNSUPPORTED)
			error = KS_OK;
	}
	out->brokered = filter.notifications >= 0;
	if (notifications != NULL)
		*notifications = filter.notifications;
	out->lacking = bytes_of(lacking(out,
		filter.connect == FILTER_CONNECT_FREE && filter.connects, doors.shared_memory));
	return error;
}

void confine_foresee(struct frame_confined *out)
{
	out->landlock = landlock_version();
	out->filtered = syscall_filter_possible();
	out->lacking = bytes_of(lacking(out, false, false));
}
