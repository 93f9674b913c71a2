/*
 * What a desktop notification needs of texts: markup that is none, and a bus that is on this
 * machine. Pure functions.
 */
#ifndef KEYSTILE_PROMPT_NOTIFICATION_TEXT_H
#define KEYSTILE_PROMPT_NOTIFICATION_TEXT_H

#include <keystile/buffer.h>

/* Whether every address of a bus's list is a socket of this machine. */
bool notification_address_local(const char *address);

/*
 * Appends text for the body of a notification, in which services understand some markup; what is
 * neither a line end nor printable ASCII becomes "?".
 */
void notification_escape(struct buf *out, const char *text);

#endif
