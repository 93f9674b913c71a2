/*
 * The PIN and the code that unblocks it, SP 800-73-4 part 2 sections 3.2.1 to 3.2.3.
 */
#ifndef CARD_PIN_H
#define CARD_PIN_H

#include "card.h"

/* Also gives all of its tries back. */
void pin_set(struct reference *reference, const char *text);
unsigned pin_verify(struct card *card, const struct command *command);
unsigned pin_change(struct card *card, const struct command *command);
unsigned pin_unblock(struct card *card, const struct command *command);

#endif
