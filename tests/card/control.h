/*
 * The hand that holds the card: a datagram socket that takes a command in words and answers each.
 *
 *   insert, remove         as they say
 *   touch                  a finger on it; an error where nobody waits for one
 *   port N                 the reader that it is put into next
 *   slow MS                each answer comes that much later; 0: at once
 *   pin-tries N            so many are left; 0: blocked
 *   fault NAME             each answer is spoiled, see fault.h; none: as it should be
 *   touch-time MS          how long a touch is waited for
 *   forget                 all counts are 0
 *   status                 JSON: what it is in, what was counted
 */
#ifndef CARD_CONTROL_H
#define CARD_CONTROL_H

#include "card.h"
#include "fault.h"

/* What the words change besides the card itself. */
struct hand {
	bool inserted; /* that it should be */
	bool touch;    /* one was given and not taken yet */
	int port;      /* of vpcd; 0: the one it was started with */
	int slow_ms;
	int touch_ms;
	enum fault fault;
};

/* A socket at that path, -1 where it can't be made. */
int control_open(const char *path);
/* Takes one command and answers it; in_reader is for the status. */
void control_serve(int fd, struct hand *hand, struct card *card, bool in_reader);

#endif
