/*
 * A PKCS#11 module or security key library, looked at without loading it.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "doctor.h"
#include "shell.h"

#define DEFAULT_ALLOWED "/usr/lib*/*,/usr/local/lib*/*" /* as ssh-agent's -P */

/* What this program was made for is what a worker can load. */
static bool same_machine(const char *path)
{
	Elf64_Ehdr ours, theirs;
	AUTO(fd) self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO(fd) other = open(path, O_RDONLY | O_CLOEXEC);

	return read(self, &ours, sizeof(ours)) == (ssize_t)sizeof(ours) &&
	       read(other, &theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs) &&
	       memcmp(theirs.e_ident, ours.e_ident, EI_VERSION + 1) == 0 &&
	       theirs.e_machine == ours.e_machine;
}

static const char *allowed_providers(const struct doctor *doctor)
{
	const char *patterns =
		json_string_value(json_object_get(doctor->status, "allowed_providers"));

	return patterns != NULL ? patterns : DEFAULT_ALLOWED;
}

static bool writable_by_others(const struct stat *status)
{
	return (status->st_uid != 0 && status->st_uid != getuid()) ||
	       (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

void doctor_check_provider(struct doctor *doctor, const char *path)
{
	char canonical[PATH_MAX] = "";
	struct stat status;
	bool found = realpath(path, canonical) != NULL && stat(canonical, &status) == 0;
	AUTO(text) quoted = shell_quote(ENV_SH, canonical);
	AUTO(text) close = text_format("sudo chown root %s && sudo chmod go-w %s",
		quoted != NULL ? quoted : "", quoted != NULL ? quoted : "");

	if (!found)
		doctor_say(doctor, DOCTOR_FAIL, "library",
			"\nis the path right, and the package of the library installed?", "%s: %s",
			path, strerror(errno));
	else if (!S_ISREG(status.st_mode) || access(canonical, R_OK) != 0)
		doctor_say(doctor, DOCTOR_FAIL, "library", "\nis it the library itself?",
			"%s can't be read as a file", canonical);
	else if (!same_machine(canonical))
		doctor_say(doctor, DOCTOR_FAIL, "library",
			"\ninstall the library for this machine's architecture",
			"%s is no library that programs of this machine can load", canonical);
	else if (writable_by_others(&status))
		doctor_say(doctor, DOCTOR_FAIL, "library", close != NULL ? close : "",
			"%s can be changed by others than you and root: it is not loaded",
			canonical);
	else if (text_match_list(canonical, allowed_providers(doctor)) != 1)
		doctor_say(doctor, DOCTOR_FAIL, "library",
			"keystile reload\nafter its folder was put into allowed-providers of "
			"keystile.conf",
			"%s is not among the providers that may be loaded (%s)", canonical,
			allowed_providers(doctor));
	else
		doctor_say(doctor, DOCTOR_PASS, "library", "", "%s may be loaded", canonical);
}
