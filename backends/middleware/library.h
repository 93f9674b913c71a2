/*
 * Loads the library and calls it, in a process of its own (apart.h): both functions are what
 * apart_run() runs. Their answers begin with u32 enum ks_error, string words.
 */
#ifndef KEYSTILE_MIDDLEWARE_LIBRARY_H
#define KEYSTILE_MIDDLEWARE_LIBRARY_H

#include <keystile/backend.h>

#define KEY_HANDLE_MAX                                                                             \
	2048 /* CTAP 2.1 has at most 1,023; with a PIN it must fit a secret's pipe                 \
	      */

struct library_sign {
	const char *path;
	uint32_t algorithm; /* SK_... */
	const char *application;
	uint8_t flags;
	bool with_pin;
	struct bytes data;
};

/* argument is the path, without a secret: is it a library of this kind, and one that signs? */
void library_check(const void *argument, int secret, struct buf *answer);
/*
 * argument is a struct library_sign. The secret is string key handle and, with a PIN, the PIN and a
 * NUL. After KS_OK and its words come u8 flags, u32 counter, string r, string s as the library
 * gave them, which means nothing yet. KS_PIN_NEEDED: without the PIN, or with a wrong one, it does
 * not sign.
 */
void library_sign(const void *argument, int secret, struct buf *answer);

#endif
