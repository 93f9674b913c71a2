/*
 * A PIV card (NIST SP 800-73-4), on request one of Yubico's, in software: bytes of a command in,
 * bytes of the answer out. It keeps no secret from anybody and is for tests.
 */
#ifndef CARD_CARD_H
#define CARD_CARD_H

#include <stdbool.h>

#include "command.h"
#include "slot.h"

#define PIN_LEN 8
#define PIN_TRIES 3
#define CHALLENGE_LEN 8

/* A PIN or the code that unblocks it; 8 bytes, filled up with 0xff. */
struct reference {
	uint8_t value[PIN_LEN];
	unsigned tries;
	unsigned most;
	bool initial;
};

struct counts {
	unsigned commands[256]; /* by instruction */
	unsigned pins;		/* that were sent, */
	unsigned wrong;		/* and how many of them were wrong */
	unsigned signatures;
};

#define LIES_MAX 4
#define LIE_MAX 100 /* bytes */

/* What is answered to an instruction, whatever the command was. */
struct lie {
	bool told;
	unsigned instruction;
	uint8_t answer[LIE_MAX];
	size_t len;
};

struct card {
	struct lie lies[LIES_MAX];
	struct slot slots[SLOT_COUNT];
	struct reference pin;
	struct reference puk;
	bool yubikey;
	bool openpgp; /* it has such an application, too */
	uint32_t serial;
	uint8_t version[3];
	struct counts counts;
	unsigned pins_here; /* that were sent since it was put in */

	/* Since it was powered */
	bool selected; /* the PIV application, */
	bool openpgp_selected;
	bool verified;
	bool fresh;		/* the PIN came with the command before this one */
	bool managed;		/* the management key was shown */
	unsigned challenge_tag; /* what the host was given to prove that it has it; 0: nothing */
	uint8_t challenge[CHALLENGE_LEN];

	struct buf chain; /* what came of a command so far */
	struct command chained;
	struct buf rest; /* what is left of an answer */

	struct buf waiting; /* data of the AUTHENTICATE that waits for a touch */
	struct command awaiting;
	bool touch_awaited;
	int64_t touched_ms; /* when it was touched last; 0: never */
};

void card_init(struct card *card);
void card_deinit(struct card *card);
/* Loses its power: logins and half commands are gone. */
void card_reset(struct card *card);
/* False: it waits for a touch, and card_touch() has the answer. */
bool card_command(struct card *card, struct bytes command, struct buf *answer);
/* It was touched, or the time is over. */
void card_touch(struct card *card, bool touched, struct buf *answer);
struct bytes card_atr(const struct card *card);
int64_t card_now_ms(void);

#endif
