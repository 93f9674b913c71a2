/*
 * The card's end of vpcd's protocol (vsmartcard's virtual reader): messages with a length of 16
 * bits over TCP. The card connects, which is its insertion, and closes, which is its removal.
 */
#ifndef CARD_VPCD_H
#define CARD_VPCD_H

#include "card.h"

struct vpcd {
	int fd; /* -1: not in the reader */
	uint16_t port;
	struct buf in;
};

void vpcd_init(struct vpcd *vpcd, uint16_t port);
/* False: nobody listens there. */
bool vpcd_insert(struct vpcd *vpcd);
void vpcd_remove(struct vpcd *vpcd, struct card *card);
/* Reads what is there. False: the reader has gone, and the card is out of it. */
bool vpcd_receive(struct vpcd *vpcd);
/*
 * Answers what the reader itself asks. True with the next command for the card, which is borrowed
 * and stays until vpcd_handled().
 */
bool vpcd_next(struct vpcd *vpcd, struct card *card, struct bytes *command);
void vpcd_handled(struct vpcd *vpcd);
/* False: the reader has gone. */
bool vpcd_send(struct vpcd *vpcd, struct bytes message);

#endif
