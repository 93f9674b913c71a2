/*
 * Which programs are connected with a daemon, to be named to a person whom one of them keeps
 * waiting.
 */
#ifndef KEYSTILE_SOCKET_USERS_H
#define KEYSTILE_SOCKET_USERS_H

#define PCSCD_SOCKET "/run/pcscd/pcscd.comm"

/*
 * Of this user's programs those that are connected with whoever listens on the unix socket at the
 * path, Keystile's own left out: "scdaemon (pid 12), firefox (pid 13)", at most eight. NULL: none
 * is known, which may also be for lack of memory. The caller frees it. Looks through all processes,
 * so it is not for a thread that must not wait.
 */
char *socket_users(const char *path);

#endif
