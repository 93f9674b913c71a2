/*
 * Names that leave open which providers they mean: all modules of p11-kit's configuration, or a
 * PKCS#11 URI that says nothing of a module. A worker whose backend finds_providers is asked, and
 * its answer is a list of names as a person could have given them: each is then opened as any
 * other, with all that is checked of it, and nothing follows from how it was found.
 */
#ifndef AGENT_PROVIDER_FIND_H
#define AGENT_PROVIDER_FIND_H

#include <stdbool.h>
#include <stddef.h>

struct agent;
struct provider_find;

#define PROVIDER_FIND_MAX 32

/* Called once, and the search is over. names is NULL on failure, and then words say why; both are
 * borrowed. */
typedef void provider_found(void *owner, char *const *names, size_t count, const char *words);

/* It has to be found first what it means. */
bool provider_find_due(const char *given);
/* The callback comes later, never from within. NULL when that can't even begin. */
struct provider_find *provider_find(
	struct agent *agent, const char *given, provider_found *found, void *owner);
/* The file's name alone in a name that was found; foreign text, borrowed. */
const char *provider_find_file(const char *name);
/* Nobody wants to know any more. */
void provider_find_abandon(struct provider_find *find);

#endif
