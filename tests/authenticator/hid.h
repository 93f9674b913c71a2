/*
 * CTAPHID, the transport (CTAP 2.1, section 11.2): reports of 64 bytes, messages of up to 7,609,
 * channels, and what may happen while a command is being worked on.
 */
#ifndef AUTHENTICATOR_HID_H
#define AUTHENTICATOR_HID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HID_REPORT_LEN 64
#define HID_MESSAGE_MAX 7609
#define HID_BROADCAST 0xffffffffU

enum hid_command {
	HID_PING = 0x01,
	HID_MSG = 0x03,
	HID_LOCK = 0x04,
	HID_INIT = 0x06,
	HID_WINK = 0x08,
	HID_CBOR = 0x10,
	HID_CANCEL = 0x11,
	HID_KEEPALIVE = 0x3b,
	HID_ERROR = 0x3f,
};

enum hid_error {
	HID_ERROR_COMMAND = 0x01,
	HID_ERROR_LENGTH = 0x03,
	HID_ERROR_SEQUENCE = 0x04,
	HID_ERROR_TIMEOUT = 0x05,
	HID_ERROR_BUSY = 0x06,
	HID_ERROR_CHANNEL = 0x0b,
};

enum hid_keepalive { HID_PROCESSING = 1, HID_UP_NEEDED = 2 };

struct token;

/* One message, and where its next packet has to fit. */
struct hid_message {
	uint32_t channel;
	uint8_t command;
	size_t len;  /* what the first packet announced */
	size_t have; /* so much is there */
	uint8_t sequence;
	uint8_t data[HID_MESSAGE_MAX];
};

struct hid {
	struct hid_message message; /* being put together, or worked on */
	bool assembling;
	bool complete; /* waits to be worked on */
	bool busy;     /* is worked on */
	uint64_t assembly_ms;
	uint64_t keepalive_ms;
	uint32_t next_channel;
	uint32_t locked_by; /* 0: nobody */
	uint64_t locked_until_ms;
	unsigned cancels;     /* CANCEL that came while something was worked on */
	unsigned cancels_all; /* and those at other times, too */
	unsigned winks;
};

/* A report from the host. */
void hid_receive(struct token *token, const uint8_t report[HID_REPORT_LEN]);

/* Works on the message that is complete, if there is one. */
void hid_work(struct token *token);

/* What only passing time brings about: a message whose rest does not come. */
void hid_tick(struct token *token);

/* An answer to the message that is worked on. */
void hid_reply(struct token *token, uint8_t command, const uint8_t *data, size_t len);

/* At most every 100 ms. */
void hid_keepalive(struct token *token, enum hid_keepalive what);

/* A single packet as it is: for answers that are wrong. */
void hid_send_report(struct token *token, const uint8_t report[HID_REPORT_LEN]);

#endif
