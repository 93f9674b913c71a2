/*
 * One call into a library, on its way from the worker to keystile-library-call, the program that
 * loads the library for the length of this call (docs/PROTOCOL.md, "Library call").
 */
#ifndef KEYSTILE_MIDDLEWARE_LIBRARY_CALL_H
#define KEYSTILE_MIDDLEWARE_LIBRARY_CALL_H

#include <keystile/backend.h>

/* Where the program finds its socket and its two pipes, and puts its own memory. */
enum {
	LIBRARY_CALL_ANSWER_FD = 3,
	LIBRARY_CALL_REQUEST_FD,
	LIBRARY_CALL_SECRET_FD,
	LIBRARY_CALL_MEMORY_FD
};

/* What its answers, which are frames, give as their operation. */
#define LIBRARY_CALL_OPERATION 1

/* Worker and program may be of two versions while a new one is being installed. */
#define LIBRARY_CALL_VERSION 2
#define LIBRARY_CALL_MAX BUF_MAX_DEFAULT /* of a request; what is signed fits into a frame */
#define LIBRARY_ANSWER_MAX ((size_t)4096)
#define LIBRARY_SECRET_MAX ((size_t)4096) /* key handle, PIN, and what stands around them */

enum library_call_kind {
	LIBRARY_CHECK = 1, /* is it a library of this kind, and one that signs? */
	LIBRARY_SIGN = 2,
};

/* Borrows all of it. */
struct library_call {
	uint32_t worker; /* the process that asks and waits */
	enum library_call_kind kind;
	const char *path;
	struct bytes grants; /* as ks_grants() has them */
	/* For LIBRARY_SIGN. The secret is string key handle and, with a PIN, the PIN and a NUL. */
	uint32_t algorithm; /* SK_... */
	const char *application;
	uint8_t flags;
	bool with_pin;
	struct bytes data;
};

void library_call_encode(const struct library_call *call, struct buf *out);
/* Borrows from bytes. KS_UNSUPPORTED: of another version. */
KS_MUST_CHECK enum ks_error library_call_decode(struct bytes bytes, struct library_call *out);

#endif
