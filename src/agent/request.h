/*
 * A request that can't be answered at once. A connection has at most one in work; it is
 * answered once, or abandoned when the client goes. Life of a signature (sign.c):
 *
 *  UNLOCKING (the agent is locked, and the person is asked)
 *     ▲ ▼
 *   BEGUN ─┬─▶ CONFIRMING ─┬─▶ WAITING ──▶ SIGNING ◀─▶ ASKING
 *  (names  └───────────────┘  (for the        │     (PIN or touch)
 *   of hosts  (no confirm)     worker)        ▼
 *   are read, then checked)                ANSWERED (after presence, signature and
 *                                                    peer were checked once more)
 * from WAITING and SIGNING to INSERTING where the token is away, and back to WAITING when it comes,
 * and of loading or removing a provider (provider_request.c):
 *
 *   WAITING (located, opened) ──▶ LISTING (login, keys) ──▶ ANSWERED
 *
 * Every state also goes to ANSWERED by a refusal, and to nothing when the client leaves.
 */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include <stdbool.h>

enum request_state {
	REQUEST_BEGUN,
	REQUEST_UNLOCKING,
	REQUEST_CONFIRMING,
	REQUEST_WAITING,
	REQUEST_INSERTING,
	REQUEST_SIGNING,
	REQUEST_ASKING,
	REQUEST_LISTING,
	REQUEST_ANSWERED,
};

struct request {
	enum request_state state;
	bool refused_by_lock; /* a signature: not given any more once the agent is locked */
	/* The client has gone: cancel what is in work and free. */
	void (*abandon)(struct request *request);
};

#endif
