/*
 * The folder of the audit log, for the agent and the `keystile` command alike.
 */
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <keystile/audit.h>
#include <keystile/text.h>

char *audit_folder(void)
{
	/* Not those of whoever ran a set-id agent. */
	const char *state = secure_getenv("XDG_STATE_HOME");
	const char *home = secure_getenv("HOME");

	if (state != NULL && state[0] == '/') /* a relative one is to be ignored (XDG) */
		return text_format("%s/keystile", state);
	if (home == NULL || home[0] != '/') {
		const struct passwd *user = getpwuid(getuid());

		home = user != NULL ? user->pw_dir : NULL;
	}
	return home != NULL ? text_format("%s/.local/state/keystile", home) : NULL;
}
