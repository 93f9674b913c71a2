/*
 * The user's and the system's known_hosts files, read on another thread when somebody asks and they
 * have changed, and kept as indexes. A file system that hangs keeps a request waiting for a moment
 * once; after that, what was read before counts until it answers.
 */
#ifndef AGENT_KNOWN_HOSTS_H
#define AGENT_KNOWN_HOSTS_H

#include <jansson.h>
#include <uv.h>

#include "host_names.h"

/* What a request waits for the files at most. */
#define KNOWN_HOSTS_WAIT_MS 5000

struct known_hosts;
struct known_hosts_wait;

/* Begins to read; NULL: out of memory. */
struct known_hosts *known_hosts_new(uv_loop_t *loop);
/* Nobody waits any more, and no file is begun; free it when the loop has ended. */
void known_hosts_close(struct known_hosts *hosts);
/* False, and it stays, where a thread still hangs in a file: the process must not end by exit(). */
bool known_hosts_free(struct known_hosts **hosts);

/*
 * Looks whether files have changed, and reads those. Calls settled, never from within, once what is
 * known is at least as new as this call, or is not to be had in KNOWN_HOSTS_WAIT_MS. NULL: there is
 * nothing to wait for (a file hung before, or out of memory), and nobody is called.
 */
struct known_hosts_wait *known_hosts_await(
	struct known_hosts *hosts, void (*settled)(void *owner), void *owner);
void known_hosts_wait_abandon(struct known_hosts_wait *wait);

/*
 * What is known of a bound host now: no I/O. candidates as for host_names_add(). Deinit it with
 * host_names_deinit().
 */
struct host_names known_hosts_names(const struct known_hosts *hosts,
	const struct session_bind *bind, const char *const *candidates);

/* For status: the files that are there or should be, what was read of them, and why not. */
json_t *known_hosts_json(const struct known_hosts *hosts);

#endif
