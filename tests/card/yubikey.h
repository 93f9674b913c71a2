/*
 * What Yubico added to PIV: https://docs.yubico.com/yesdk/users-manual/application-piv/apdu/.
 */
#ifndef CARD_YUBIKEY_H
#define CARD_YUBIKEY_H

#include "card.h"

unsigned yubikey_command(struct card *card, const struct command *command);

#endif
