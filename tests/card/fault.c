/*
 * Answers are spoiled after the card has done what it was asked for.
 */
#include "fault.h"

#include <string.h>

#define LONG_LEN 65000
#define FILLER 0xa5
#define WELL 0x9000
#define MORE 0x61ff
#define FAILED 0x6f00

static const char *const names[] = {
	[FAULT_NONE] = "none",
	[FAULT_CUT] = "cut",
	[FAULT_BYTE] = "byte",
	[FAULT_NOTHING] = "nothing",
	[FAULT_LONG] = "long",
	[FAULT_ENDLESS] = "endless",
	[FAULT_NONSENSE] = "nonsense",
	[FAULT_LENGTHS] = "lengths",
	[FAULT_FAILURE] = "failure",
	[FAULT_SILENCE] = "silence",
};

bool fault_named(const char *name, enum fault *out)
{
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum fault)i;
			return true;
		}
	return false;
}

/* So many bytes, and a status word. */
static void replace(struct buf *answer, size_t len, uint8_t filler, unsigned status)
{
	buf_clear(answer);
	for (size_t i = 0; i < len; i++)
		buf_put_u8(answer, filler);
	buf_put_u8(answer, (uint8_t)(status >> 8));
	buf_put_u8(answer, (uint8_t)status);
}

/* An object of 64 KiB less one, in an object of as much. */
static void put_lengths(struct buf *answer)
{
	static const uint8_t object[] = {0x53, 0x82, 0xff, 0xff, 0x70, 0x82, 0xff, 0xff, 0x7c, 0x82,
		0xff, 0xff, 0x82, 0x84, 0xff, 0xff, 0xff, 0xff, 0x90, 0x00};

	buf_clear(answer);
	buf_put(answer, BYTES(object, sizeof(object)));
}

void fault_spoil(enum fault fault, struct buf *answer)
{
	size_t len = answer->len > 2 ? answer->len - 2 : 0;

	switch (fault) {
	case FAULT_NONE:
	case FAULT_SILENCE:
		return;
	case FAULT_CUT:
		answer->len = answer->len / 2;
		return;
	case FAULT_BYTE:
		answer->len = 1;
		return;
	case FAULT_NOTHING:
		answer->len = 0;
		return;
	case FAULT_LONG:
		replace(answer, LONG_LEN, FILLER, WELL);
		return;
	case FAULT_ENDLESS:
		replace(answer, 256, FILLER, MORE);
		return;
	case FAULT_NONSENSE:
		replace(answer, len, FILLER, WELL);
		return;
	case FAULT_LENGTHS:
		put_lengths(answer);
		return;
	case FAULT_FAILURE:
		replace(answer, 0, 0, FAILED);
		return;
	}
}
