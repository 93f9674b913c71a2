/*
 * GENERAL AUTHENTICATE, SP 800-73-4 part 2 section 3.2.4: what the private keys do.
 */
#ifndef CARD_AUTHENTICATE_H
#define CARD_AUTHENTICATE_H

#include "card.h"

/* It could be done, but for a touch that is not there yet. */
bool authenticate_wants_touch(struct card *card, const struct command *command);
unsigned authenticate(struct card *card, const struct command *command);

#endif
