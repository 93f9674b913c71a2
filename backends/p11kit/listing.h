/*
 * The modules of p11-kit's configuration, as p11-kit itself reads it: which files count, what the
 * user's say in place of the system's, for which programs, in which order. p11-kit's library tells
 * of modules only when it has loaded all of them, so in this program dlopen() loads nothing: it
 * says that it has, and none of their code runs.
 */
#ifndef KEYSTILE_P11KIT_LISTING_H
#define KEYSTILE_P11KIT_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include <keystile/backend.h>

#define LISTING_MAX 64

struct listed_module {
	char *name;   /* of its file of configuration, without .module */
	char *path;   /* NULL: it has none that can be loaded */
	bool remote;  /* a command, or a socket */
	bool trusted; /* trust-policy: it has certificates that are trusted, and no keys */
};

struct listing {
	struct listed_module modules[LISTING_MAX];
	size_t count;
};

/* Once in the life of a process. On failure words are said; listing_deinit() is due anyway. */
KS_MUST_CHECK enum ks_error listing_read(struct ks_operation *operation, struct listing *out);
void listing_deinit(struct listing *listing);

#endif
