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

struct hidraw {
	int device;
	int wishes; /* the socket on which a cancel may come */
	/* Called when a cancel may be there: reads it, and says whether it was one. */
	bool (*cancelled)(void *owner);
	/* The token begins to wait for a touch, or does no longer. */
	void (*waits)(void *owner, bool touch);
	void *owner;
	/* Of the present request. */
	bool gone;	 /* the device was pulled */
	bool late;	 /* it said nothing in time */
	bool busy;	 /* it said that somebody else's request is in work */
	bool cancelling; /* a cancel was wanted; at most until give_up_ms it may take its time */
	bool waiting;	 /* for a touch */
	int64_t give_up_ms;
	int64_t end_ms;	    /* of the request */
	bool in_cbor;	    /* what was written last is a request that can be cancelled */
	uint8_t channel[4]; /* of what was written last */
};

/* A new request, with so much time. */
void hidraw_begin(struct hidraw *hidraw, uint32_t timeout_ms);
/* libfido2 uses the functions from here on. There is one device in the process. */
KS_MUST_CHECK bool hidraw_attach(struct hidraw *hidraw, fido_dev_t *device);

#endif
