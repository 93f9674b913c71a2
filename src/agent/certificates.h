/*
 * OpenSSH certificates in files, for keys of providers that the configuration names: read on a
 * thread, watched by inotify, and read again when one comes, goes or is renewed. A file system that
 * hangs keeps that thread, and what was read before counts until it answers.
 */
#ifndef AGENT_CERTIFICATES_H
#define AGENT_CERTIFICATES_H

#include <jansson.h>
#include <stdbool.h>

#include <keystile/buffer.h>

struct agent;
struct certificates;
struct provider;

/* NULL: out of memory. */
struct certificates *certificates_new(struct agent *agent);
/* The configuration is another one, or is read for the first time. */
void certificates_follow(struct certificates *certificates);
/* Nothing is looked at any more; free it when the loop has ended. */
void certificates_close(struct certificates *certificates);
/* False, and it stays, where a thread still hangs in a file: the process must not end by exit(). */
bool certificates_free(struct certificates **certificates);

/*
 * Appends the blobs that the provider's sections want to room for CERTIFICATE_FILES_MAX, whatever
 * keys they are for; borrowed until the loop turns. How many.
 */
size_t certificates_wanted(const struct provider *provider, struct bytes *out);
/* For status.h. */
json_t *certificates_json(const struct agent *agent);

#endif
