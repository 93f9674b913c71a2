/*
 * Constraints that were understood: whose they are, and whether two permit the same.
 */
#include "constraints.h"

#include <stdlib.h>
#include <string.h>

struct constraints *constraints_reference(struct constraints *constraints)
{
	constraints->references++;
	return constraints;
}

static void host_deinit(struct destination_host *host)
{
	for (size_t i = 0; i < host->key_count; i++)
		buf_deinit(&host->keys[i].blob);
	free(host->keys);
	free(host->user);
	free(host->name);
}

void constraints_release(struct constraints **held)
{
	struct constraints *constraints = *held;

	*held = NULL;
	if (constraints == NULL || --constraints->references > 0)
		return;
	for (size_t i = 0; i < constraints->destination_count; i++) {
		host_deinit(&constraints->destinations[i].from);
		host_deinit(&constraints->destinations[i].to);
	}
	for (size_t i = 0; i < constraints->certificate_count; i++)
		buf_deinit(&constraints->certificates[i]);
	free(constraints->destinations);
	free(constraints->certificates);
	free(constraints->sk_provider);
	free(constraints);
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_host(const struct destination_host *a, const struct destination_host *b)
{
	bool same = same_text(a->user, b->user) && same_text(a->name, b->name) &&
		    a->key_count == b->key_count;

	for (size_t i = 0; same && i < a->key_count; i++)
		same = a->keys[i].ca == b->keys[i].ca &&
		       bytes_equal(buf_bytes(&a->keys[i].blob), buf_bytes(&b->keys[i].blob));
	return same;
}

bool constraints_same_destinations(const struct constraints *a, const struct constraints *b)
{
	bool same = a->destination_count == b->destination_count;

	for (size_t i = 0; same && i < a->destination_count; i++)
		same = same_host(&a->destinations[i].from, &b->destinations[i].from) &&
		       same_host(&a->destinations[i].to, &b->destinations[i].to);
	return same;
}
