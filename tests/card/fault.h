/*
 * What a broken card, or one that was made to do harm, may answer.
 */
#ifndef CARD_FAULT_H
#define CARD_FAULT_H

#include <stdbool.h>

#include <keystile/buffer.h>

enum fault {
	FAULT_NONE,
	FAULT_CUT,	/* half of it */
	FAULT_BYTE,	/* one byte, which is no status word */
	FAULT_NOTHING,	/* an answer without a byte */
	FAULT_LONG,	/* far more than may be */
	FAULT_ENDLESS,	/* says each time that more follows */
	FAULT_NONSENSE, /* as long as it should be, of other bytes, and well */
	FAULT_LENGTHS,	/* tags whose lengths lead out of it */
	FAULT_FAILURE,	/* nothing but a status that says that it failed */
	FAULT_SILENCE,	/* none at all */
};

/* False: no such fault. */
bool fault_named(const char *name, enum fault *out);
void fault_spoil(enum fault fault, struct buf *answer);

#endif
