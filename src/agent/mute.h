/*
 * Paths whose remote requests the person has just said no to: they are not asked for again for a
 * while, which doubles each time, so that nobody is worn down by prompts (DESIGN: prompts).
 */
#ifndef AGENT_MUTE_H
#define AGENT_MUTE_H

#include <stdbool.h>
#include <stdint.h>

#define MUTES_MAX 16

/* A path is told by a text: prompt_path.h. */
struct mute {
	char path[160];
	uint64_t until_ms;
	uint64_t length_ms; /* of the last time */
};

/*
 * Zeroed is empty. The entry that ends first gives way to a new one. While all of them hold, every
 * path is quiet, as somebody may have a new one for each question.
 */
struct mutes {
	struct mute entries[MUTES_MAX];
};

bool mute_holds(const struct mutes *mutes, const char *path, uint64_t now_ms);
void mute_begin(struct mutes *mutes, const char *path, uint64_t now_ms);
/* The person said yes: the next no is a first one again. */
void mute_forget(struct mutes *mutes, const char *path);

#endif
