/*
 * See websafe.h. A browser signs with such a key what a web site asks for; the application says
 * which site. An agent that signed any data with it would be that browser.
 */
#include "websafe.h"

#include <string.h>

#include <keystile/text.h>

bool websafe_permits(const char *application, const char *allow, const struct subject *subject)
{
	if (application == NULL || allow == NULL || text_match_list(application, allow) == 1)
		return true;
	/* As in ssh-agent, only the key that signs may stand in the login. */
	return (subject->kind == SUBJECT_LOGIN && !subject->by_certificate) ||
	       subject->kind == SUBJECT_SSHSIG;
}
