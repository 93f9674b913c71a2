/*
 * See mute.h.
 */
#include "mute.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FIRST_MS ((uint64_t)60 * 1000)
#define LONGEST_MS ((uint64_t)60 * 60 * 1000)
/* After so long a quiet time a no counts as a first one. */
#define FORGIVEN_MS ((uint64_t)60 * 60 * 1000)

static bool is_path(const struct mute *mute, const char *path)
{
	return mute->length_ms > 0 && strncmp(mute->path, path, sizeof(mute->path) - 1) == 0;
}

static struct mute *find(struct mutes *mutes, const char *path)
{
	for (size_t i = 0; i < MUTES_MAX; i++)
		if (is_path(&mutes->entries[i], path))
			return &mutes->entries[i];
	return NULL;
}

bool mute_holds(const struct mutes *mutes, const char *path, uint64_t now_ms)
{
	size_t quiet = 0;

	for (size_t i = 0; i < MUTES_MAX; i++) {
		if (is_path(&mutes->entries[i], path))
			return now_ms < mutes->entries[i].until_ms;
		quiet += now_ms < mutes->entries[i].until_ms;
	}
	/* Whoever has so many paths may have more. */
	return quiet == MUTES_MAX;
}

static struct mute *first_to_end(struct mutes *mutes)
{
	struct mute *found = &mutes->entries[0];

	for (size_t i = 1; i < MUTES_MAX; i++)
		if (mutes->entries[i].until_ms < found->until_ms)
			found = &mutes->entries[i];
	return found;
}

void mute_begin(struct mutes *mutes, const char *path, uint64_t now_ms)
{
	struct mute *mute = find(mutes, path);

	if (mute == NULL || now_ms > mute->until_ms + FORGIVEN_MS) {
		if (mute == NULL)
			mute = first_to_end(mutes);
		*mute = (struct mute){.length_ms = FIRST_MS};
		snprintf(mute->path, sizeof(mute->path), "%s", path);
	} else if (mute->length_ms < LONGEST_MS) {
		mute->length_ms *= 2;
	}
	mute->until_ms = now_ms + mute->length_ms;
}

void mute_forget(struct mutes *mutes, const char *path)
{
	struct mute *mute = find(mutes, path);

	if (mute != NULL)
		*mute = (struct mute){0};
}
