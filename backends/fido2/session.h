/*
 * One security key that is open: its device in the hands of a process of its own
 * (keystile-fido2-token), as long as it is in use and a few seconds longer. That process can be
 * killed at any moment; the worker and all other tokens go on.
 */
#ifndef KEYSTILE_FIDO2_SESSION_H
#define KEYSTILE_FIDO2_SESSION_H

#include "token_call.h"

/* Zeroed is closed. */
struct session {
	pid_t pid; /* 0: closed */
	int socket;
	int removed; /* borrowed: readable once the token was taken out */
	struct token_info info;
};

/* One request of one session, and how it went. */
struct exchange {
	struct session *session;
	struct token_call call;
	bool pending;
	int32_t code; /* once it is over */
	struct buf body;
};

/* What may happen meanwhile. */
struct exchange_watch {
	struct ks_operation *operation;
	/*
	 * The token waits for a touch from here on, or does no longer. An error cancels the
	 * exchange.
	 */
	enum ks_error (*waits)(void *owner, const struct exchange *exchange, bool touch);
	void *owner;
};

/* Takes device, open for reading and writing. Nothing is asked of the token yet. */
KS_MUST_CHECK enum ks_error session_start(
	struct session *session, struct ks_operation *operation, int device, int removed);
/* Its process is gone, by itself or by anybody. */
bool session_has_ended(const struct session *session);
/* At once, whatever it is at. */
void session_end(struct session *session);

/*
 * Sends all requests, each to another session, and waits until one has gone well or all have ended;
 * the others are cancelled. KS_OK: each has its code. Otherwise why they were given up: the
 * operation is over, or waits() said so. A session whose process is not to be trusted any more is
 * closed. The bodies are the caller's, to be freed.
 */
KS_MUST_CHECK enum ks_error exchange_run(
	struct exchange *exchanges, size_t count, const struct exchange_watch *watch);

#endif
