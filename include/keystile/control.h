/*
 * The control socket between `keystile` and the agent (docs/PROTOCOL.md). Each message is a u32
 * length and one JSON object. The first of a connection is {"keystile": CONTROL_VERSION} and
 * carries a descriptor by SCM_RIGHTS with its first byte: nothing that relays bytes can do that, so
 * a forwarded connection never gets further. The agent answers {"keystile": CONTROL_VERSION,
 * "version": "..."}; then {"command": "status"} and the like are answered by {"ok": true, ...} or
 * {"ok": false, "error": "..."}.
 */
#ifndef KEYSTILE_CONTROL_H
#define KEYSTILE_CONTROL_H

#include <sys/types.h>

#define CONTROL_VERSION 1
#define CONTROL_MAX ((size_t)4 * 1024 * 1024)
#define CONTROL_REQUEST_MAX ((size_t)64 * 1024)

/* $XDG_RUNTIME_DIR/keystile, or /run/user/UID/keystile where that is, or /tmp/keystile-UID; the
 * caller frees it. */
char *control_runtime_folder(void);
/* Folder of an agent that was started as ssh-agent is: RUNTIME/agent-PID; the caller frees it. */
char *control_agent_folder(pid_t pid);

#endif
