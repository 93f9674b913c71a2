/*
 * Command APDUs and status words, ISO 7816-4 section 5.
 */
#ifndef CARD_COMMAND_H
#define CARD_COMMAND_H

#include <stdbool.h>

#include <keystile/buffer.h>

enum status {
	STATUS_OK = 0x9000,
	STATUS_MORE = 0x6100,	/* and how many bytes */
	STATUS_TRIES = 0x63c0,	/* and how many are left */
	STATUS_FAILED = 0x6f00, /* no diagnosis */
	STATUS_WRONG_LENGTH = 0x6700,
	STATUS_CLASS_UNKNOWN = 0x6e00,
	STATUS_CHAIN_EXPECTED = 0x6883,
	STATUS_SECURITY = 0x6982,
	STATUS_BLOCKED = 0x6983,
	STATUS_NO_CONDITIONS = 0x6985,
	STATUS_BAD_DATA = 0x6a80,
	STATUS_NOT_FOUND = 0x6a82,
	STATUS_BAD_PARAMETER = 0x6a86,
	STATUS_NO_REFERENCE = 0x6a88,
	STATUS_UNKNOWN = 0x6d00,
};

enum instruction {
	VERIFY = 0x20,
	CHANGE_REFERENCE = 0x24,
	RESET_RETRY = 0x2c,
	GENERATE = 0x47,
	AUTHENTICATE = 0x87,
	SELECT = 0xa4,
	GET_RESPONSE = 0xc0,
	GET_DATA = 0xcb,
	PUT_DATA = 0xdb,
	GET_METADATA = 0xf7, /* this and those below: YubiKey's own */
	GET_SERIAL = 0xf8,
	ATTEST = 0xf9,
	GET_VERSION = 0xfd,
};

struct command {
	bool chained; /* more of it follows */
	uint8_t instruction;
	uint8_t p1;
	uint8_t p2;
	struct bytes data; /* borrowed */
	size_t expected;   /* how much may be answered at once */
};

/* STATUS_OK, or what is wrong with it. */
enum status command_read(struct bytes bytes, struct command *command);

#endif
