/*
 * What a key of a web-capable application may sign (OpenSSH ssh-agent.c's websafe rule, -O
 * no-restrict-websafe, -O websafe-allow=): a security key whose application is not "ssh:..." signs
 * logins and SSH signatures, and nothing that could be a web login.
 */
#ifndef AGENT_WEBSAFE_H
#define AGENT_WEBSAFE_H

#include "subject.h"

#define WEBSAFE_DEFAULT_ALLOW "ssh:*"

/* application: NULL for keys that are no security keys. allow: a pattern list; NULL: no
 * restriction. */
bool websafe_permits(const char *application, const char *allow, const struct subject *subject);

#endif
