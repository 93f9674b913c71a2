/*
 * As much of an OpenPGP application (OpenPGP card 3.4) as gpg's scdaemon wants to see before it
 * shows a card: a YubiKey has one beside PIV, and who selects one of them takes the other's login
 * away.
 */
#ifndef CARD_OPENPGP_H
#define CARD_OPENPGP_H

#include "card.h"

/* STATUS_NOT_FOUND where another application is meant, or there is none of this kind. */
unsigned openpgp_select(struct card *card, const struct command *command);
/* While it is selected. */
unsigned openpgp_command(struct card *card, const struct command *command);

#endif
