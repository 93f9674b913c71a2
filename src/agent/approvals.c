/*
 * Remembered approvals. See approvals.h.
 */
#include "approvals.h"

#include <stdio.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/public_key.h>

/* False: out of memory, or a scope that nothing can be remembered for. */
static bool name_of(const struct approval_scope *scope, char out[static 64])
{
	AUTO(buf) all = {.max = (size_t)1024 * 1024};
	AUTO(text) digest = NULL;

	/* A process that is not known by its start could be any that got its number. */
	if (scope->peer->pid <= 0 || scope->peer->start_time == 0 ||
		scope->subject->host_key.len == 0)
		return false;
	buf_put_string(&all, bytes_of(scope->rule));
	buf_put_string(&all, scope->key_blob);
	buf_put_string(&all, scope->subject->host_key);
	buf_put_string(&all, scope->subject->user);
	buf_put_string(&all, bytes_of(scope->peer->executable));
	buf_put_u32(&all, (uint32_t)scope->peer->pid);
	buf_put_u64(&all, scope->peer->start_time);
	if (buf_status(&all) != KS_OK)
		return false;
	digest = public_key_fingerprint(buf_bytes(&all));
	if (digest == NULL)
		return false;
	snprintf(out, 64, "%s", digest);
	return true;
}

static const struct approval *find(
	const struct approvals *approvals, const char *name, uint64_t now_ms)
{
	for (size_t i = 0; i < APPROVALS_MAX; i++) {
		const struct approval *one = &approvals->list[i];

		if (one->until_ms > now_ms && strcmp(one->name, name) == 0)
			return one;
	}
	return NULL;
}

bool approvals_cover(
	const struct approvals *approvals, const struct approval_scope *scope, uint64_t now_ms)
{
	char name[64];

	return name_of(scope, name) && find(approvals, name, now_ms) != NULL;
}

void approvals_add(struct approvals *approvals, const struct approval_scope *scope, uint64_t now_ms,
	uint64_t window_ms)
{
	struct approval *place = &approvals->list[0];
	struct approval fresh = {.until_ms = now_ms + window_ms};

	if (!name_of(scope, fresh.name) || find(approvals, fresh.name, now_ms) != NULL)
		return;
	for (size_t i = 1; i < APPROVALS_MAX; i++)
		if (approvals->list[i].until_ms < place->until_ms)
			place = &approvals->list[i];
	*place = fresh;
}

void approvals_forget(struct approvals *approvals)
{
	*approvals = (struct approvals){0};
}
