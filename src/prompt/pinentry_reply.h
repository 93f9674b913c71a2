/*
 * One line that a pinentry says, and what may be made of it. Strict, unlike libassuan's own
 * assuan_transact(), which takes "ERR" without a number for success. A pure function: its test is
 * a table.
 */
#ifndef KEYSTILE_PROMPT_PINENTRY_REPLY_H
#define KEYSTILE_PROMPT_PINENTRY_REPLY_H

#include <keystile/buffer.h>
#include <keystile/secret.h>

enum pinentry_reply {
	REPLY_OK,
	REPLY_DATA,	/* "D ": pinentry_data() reads it */
	REPLY_NO,	/* the person refused, closed it or let the time pass */
	REPLY_NOT_OK,	/* the button that is neither OK nor Cancel; where there is none, a no */
	REPLY_ERROR,	/* the pinentry could not do it */
	REPLY_REMARK,	/* a comment or a status that means nothing here */
	REPLY_CACHED,	/* it says that the PIN comes from a store and not from the person */
	REPLY_NONSENSE, /* no pinentry says this */
};

/* The line comes without its end. */
enum pinentry_reply pinentry_reply_of(struct bytes line);

/*
 * Whether the pinentry of this flavour (GETINFO flavor) shows a third button and answers
 * REPLY_NOT_OK to it alone: Escape, closing the window and the end of its time are REPLY_NO. Looked
 * at in versions of pinentry that are listed in its test; what is not known is not taken to.
 */
bool pinentry_tells_three(struct bytes flavour);

/* Appends what a REPLY_DATA line holds; false where it is malformed, has no room, or holds a NUL
 * or a line end. */
KS_MUST_CHECK bool pinentry_data(struct bytes line, struct secret *out);

#endif
