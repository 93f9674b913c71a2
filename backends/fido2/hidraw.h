/*
 * The reports of a security key, carried for libfido2 by our own functions: so the token's
 * keep-alives are seen, which libfido2 tells nobody of, and a cancel is sent the moment it is
 * wanted. Formats: CTAP 2.1 section 11.2 (CTAPHID).
 */
#ifndef KEYSTILE_FIDO2_HIDRAW_H
#define KEYSTILE_FIDO2_HIDRAW_H

#include <stdbool.h>
#include <stdint.h>

#include <fido.h>

#define HID_REPORT_BYTES 64
#define HID_MESSAGE_REPORTS 129 /* of the longest message, 7,609 bytes */

/* What was written last, for a token that was busy. */
struct hid_message {
	uint8_t reports[HID_MESSAGE_REPORTS][HID_REPORT_BYTES + 1];
	size_t count;
};

struct hidraw {
	int device;
	int wishes; /* the socket on which a cancel may come */
	/* Called when a cancel may be there: reads it, and says whether it was one. */
	bool (*cancelled)(void *owner);
	/* The token begins to wait for a touch, or does no longer. */
	void (*waits)(void *owner, bool touch);
	void *owner;
	/* Of the present request. */
	bool gone; /* the device was pulled */
	bool late; /* it said nothing in time */
	bool busy; /* it said that somebody else's request is in work, and was not asked again */
	bool cancelling; /* a cancel was wanted; at most until give_up_ms it may take its time */
	bool waiting;	 /* for a touch */
	bool answered;	 /* a command, and that it went well */
	int64_t give_up_ms;
	int64_t end_ms;	       /* of the request */
	uint32_t busy_ms;      /* how long a token that is busy gets a message again */
	int64_t busy_until_ms; /* 0: it was not yet */
	bool in_cbor;	       /* what was written last is a request that can be cancelled */
	uint8_t channel[4];    /* of what was written last */
	struct hid_message message;
};

/*
 * A new request, with so much time. A token that is busy has not taken a message: it gets the same
 * one again, for busy_ms at most.
 */
void hidraw_begin(struct hidraw *hidraw, uint32_t timeout_ms, uint32_t busy_ms);
/*
 * After a request: one that the token still works on is ended there, so that its light goes out and
 * the next one finds it free. False: it says nothing, and may still be at it.
 */
bool hidraw_settle(struct hidraw *hidraw);
/* libfido2 uses the functions from here on. There is one device in the process. */
KS_MUST_CHECK bool hidraw_attach(struct hidraw *hidraw, fido_dev_t *device);

#endif
