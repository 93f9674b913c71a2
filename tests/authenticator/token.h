/*
 * A CTAP 2.1 authenticator in software, as the tests need it: what it remembers, what it is told
 * to do wrong, and the one command it works on. It does one thing at a time, as the small
 * processors in real ones do; while it waits for a touch it serves its sockets from within.
 */
#ifndef AUTHENTICATOR_TOKEN_H
#define AUTHENTICATOR_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client_pin.h"
#include "counts.h"
#include "fault.h"
#include "hid.h"
#include "store.h"

#define TOKEN_NAME_MAX 32

/* What kind of token it is; the control socket changes these by name. */
struct settings {
	bool ctap2;	       /* false: an old key that knows U2F alone */
	bool u2f;	       /* answers U2F as well */
	bool always_uv;	       /* a PIN for everything that takes a touch */
	bool make_without_pin; /* makeCredUvNotRqd: keys that are not resident need no PIN */
	bool permissions;      /* tokens with permissions; without them a token of CTAP 2.0 */
	bool new_protocol;     /* PIN protocol two beside protocol one */
	bool management;       /* credentialManagement */
	bool eddsa;	       /* makes Ed25519 keys, too */
	bool fingerprint;      /* knows its person by the finger that touches it */
	bool terse;	       /* says no more than the standard makes it say, nor its AAGUID */
	bool counting;	       /* its counter goes up; it is always 0 otherwise */
	bool keepalives;       /* tells that it works, and that it waits for a touch */
	bool pin_asserts; /* its PIN is good for assertions (no noMcGaPermissionsWithClientPin) */
	uint32_t silent_status; /* says this to getAssertion without a touch; 0: answers it */
	uint32_t protect_least; /* credentials get at least this level of protection */
	uint32_t resident_max;
	uint32_t touch_ms;	/* patience for a touch */
	uint32_t reset_ms;	/* reset only this soon after power came; 0: always */
	uint32_t assembly_ms;	/* patience for the rest of a message */
	uint32_t slow_ms;	/* each command takes this much longer */
	uint32_t late_light_ms; /* before it waits for a touch it works for so long */
	uint32_t message_max;	/* maxMsgSize */
	uint32_t firmware;	/* a number */
	uint8_t aaguid[16];
};

enum presence {
	PRESENCE_NONE, /* nobody has done anything yet */
	PRESENCE_TOUCHED,
	PRESENCE_REFUSED,
	PRESENCE_CANCELLED,
	PRESENCE_TIMED_OUT,
	PRESENCE_GONE, /* pulled, or the host began anew: nobody waits for the answer */
};

/* The light, and what the person does. */
struct person {
	bool light;
	enum presence done;
	bool touches_at_once;  /* whenever the light goes on */
	uint64_t u2f_until_ms; /* U2F hosts ask again and again: the light is on until then */
	bool u2f_touched;
};

struct token {
	struct settings settings;
	struct store store;
	struct client_pin pin;
	struct hid hid;
	struct person person;
	struct fault fault;
	struct counts counts;
	struct next_assertions *next; /* for getNextAssertion */
	struct listing *listing;      /* for credentialManagement's "next" */
	uint64_t powered_ms;	      /* when power came */
	bool plugged;
	bool port_answered; /* the testbed has done what it was asked */
	bool ended;
	int port;    /* to the testbed: reports, and orders of one byte */
	int control; /* listens */
	int clients[8];
	char lines[8][2 * FAULT_REPLY_MAX + 64];
	size_t line_lens[8];
};

/* New, unplugged, with a store that is empty and no PIN. */
void token_init(struct token *token, int port, int control);

/* Power comes and goes: channels, PIN tokens and what was being done are forgotten. */
void token_power(struct token *token, bool on);

/* As reset does, or a new token: no keys, no PIN. */
void token_clear(struct token *token);

/* Serves the sockets for at most this long, until something came. */
void token_serve(struct token *token, int timeout_ms);

/*
 * Blinks until a person touches, refuses, or something else ends it; keep-alives go to the host
 * all the while.
 */
enum presence token_wait_for_touch(struct token *token);

/* Keep-alives go to the host while time passes. */
void token_dawdle(struct token *token, uint32_t ms);

/* By the clock that never jumps. */
uint64_t now_ms(void);

#endif
