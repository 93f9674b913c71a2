/* How often each thing was asked of the token: what a host costs. */
#ifndef AUTHENTICATOR_COUNTS_H
#define AUTHENTICATOR_COUNTS_H

#include <stddef.h>

#define COUNTS_COMMANDS 0x42	/* CTAP commands by number */
#define COUNTS_SUBCOMMANDS 0x10 /* of clientPIN */

struct counts {
	unsigned init;
	unsigned ping;
	unsigned u2f;
	unsigned pin_tries; /* PINs that were really tried, right or wrong */
	unsigned touches;   /* times a touch was waited for */
	unsigned busy;	    /* messages that were not taken */
	unsigned silent;    /* assertions asked for without a touch */
	unsigned commands[COUNTS_COMMANDS];
	unsigned subcommands[COUNTS_SUBCOMMANDS];
};

/* "get_assertion=2 get_info=1": those that are not 0, and those of clientPIN as client_pin.retries.
 */
void counts_print(const struct counts *counts, char *out, size_t room);

/* A CTAP command's name, as above. -1: no such name. */
int counts_command(const char *name);
/* A subcommand's of clientPIN, as above. -1: none. */
int counts_subcommand(const char *name);

#endif
