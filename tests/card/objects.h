/*
 * SELECT and GET DATA, SP 800-73-4 part 2 sections 3.1.1 and 3.1.2.
 */
#ifndef CARD_OBJECTS_H
#define CARD_OBJECTS_H

#include "card.h"

unsigned objects_select(struct card *card, const struct command *command);
unsigned objects_get(struct card *card, const struct command *command);

#endif
