/*
 * Where the sockets of this person's agents lie. The agent and the `keystile` command
 * both ask here, so that they look in the same place.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/control.h>
#include <keystile/text.h>

/* The folder that a login manager makes; nobody else's is taken for it. */
static bool is_own_folder(const char *path)
{
	struct stat facts;

	return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid();
}

char *control_runtime_folder(void)
{
	const char *named = secure_getenv("XDG_RUNTIME_DIR");
	AUTO(text) usual = NULL;

	if (named && named[0] == '/') /* a relative one is to be ignored (XDG Base Directory) */
		return text_format("%s/keystile", named);
	usual = text_format("/run/user/%u", (unsigned)geteuid());
	if (!usual)
		return NULL;
	if (is_own_folder(usual))
		return text_format("%s/keystile", usual);
	return text_format("/tmp/keystile-%u", (unsigned)geteuid());
}

char *control_agent_folder(pid_t pid)
{
	AUTO(text) runtime = control_runtime_folder();

	return runtime ? text_format("%s/agent-%ld", runtime, (long)pid) : NULL;
}
