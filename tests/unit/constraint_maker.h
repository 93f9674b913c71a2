/*
 * Constraints as clients write them (OpenSSH PROTOCOL.agent), sound or broken, for tests.
 */
#ifndef CONSTRAINT_MAKER_H
#define CONSTRAINT_MAKER_H

#include <string.h>

#include <keystile/buffer.h>

#define DRAFT_KEYS_MAX 3

struct key_draft {
	struct bytes blob; /* data is NULL: the end of a list */
	uint8_t ca;
};

struct host_draft {
	struct bytes user, name;
	struct bytes reserved;
	struct key_draft keys[DRAFT_KEYS_MAX];
};

struct hop_draft {
	struct host_draft from, to;
	struct bytes reserved;
	struct bytes left_over;
};

/* Bytes written as a C string, which may hold NULs. */
#define RAW(text) BYTES((const uint8_t *)(text), sizeof(text) - 1)

static inline void host_draft_put(struct buf *out, const struct host_draft *host)
{
	size_t opened = buf_open_string(out);

	buf_put_string(out, host->user);
	buf_put_string(out, host->name);
	buf_put_string(out, host->reserved);
	for (size_t i = 0; i < DRAFT_KEYS_MAX && host->keys[i].blob.data != NULL; i++) {
		buf_put_string(out, host->keys[i].blob);
		buf_put_u8(out, host->keys[i].ca);
	}
	buf_close_string(out, opened);
}

static inline void hop_draft_put(struct buf *out, const struct hop_draft *hop)
{
	size_t opened = buf_open_string(out);

	host_draft_put(out, &hop->from);
	host_draft_put(out, &hop->to);
	buf_put_string(out, hop->reserved);
	buf_put(out, hop->left_over);
	buf_close_string(out, opened);
}

static inline void extension_put(struct buf *out, const char *name)
{
	buf_put_u8(out, 255);
	buf_put_text(out, name);
}

static inline void destinations_put(struct buf *out, const struct hop_draft *hops, size_t count)
{
	size_t opened;

	extension_put(out, "restrict-destination-v00@openssh.com");
	opened = buf_open_string(out);
	for (size_t i = 0; i < count; i++)
		hop_draft_put(out, &hops[i]);
	buf_close_string(out, opened);
}

#endif
