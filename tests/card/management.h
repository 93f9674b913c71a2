/*
 * The card management key (9B), SP 800-73-4 part 2 sections 3.2.4 and 3.3: who has it may write to
 * the card. Also what hosts take random numbers from: its challenge is one.
 */
#ifndef CARD_MANAGEMENT_H
#define CARD_MANAGEMENT_H

#include "card.h"

#define MANAGEMENT_KEY 0x9b

unsigned management_authenticate(struct card *card, const struct command *command);
/* A fresh key pair in a slot; its public key is the answer. */
unsigned management_generate(struct card *card, const struct command *command);
/* Stores a certificate; there is no place for other objects. */
unsigned management_put(struct card *card, const struct command *command);

#endif
