/*
 * The readers as PC/SC sees them, through the library that the module itself has loaded: who
 * speaks with no pcscd gets none here either.
 */
#ifndef KEYSTILE_PKCS11_READERS_H
#define KEYSTILE_PKCS11_READERS_H

#include <stdbool.h>
#include <stddef.h>

#include <winscard.h>

/* As many as pcscd has (PCSCLITE_MAX_READERS_CONTEXTS), and then some. */
#define READERS_MAX 32

struct card_reader {
	char name[MAX_READERNAME + 1];
	DWORD state; /* SCARD_STATE_..., and the number of cards put in and taken out above them */
	bool freed;  /* a program that had it for itself has given it back since the last look */
	bool left;   /* a card was taken out since the last look, whatever is in it now */
};

struct readers {
	__typeof__(SCardEstablishContext) *establish;
	__typeof__(SCardReleaseContext) *release;
	__typeof__(SCardListReaders) *list;
	__typeof__(SCardGetStatusChange) *wait;
	SCARDCONTEXT context;
	bool connected;
	struct card_reader known[READERS_MAX];
	size_t count;
};

enum readers_news {
	READERS_SAME,  /* nothing that concerns cards */
	READERS_MOVED, /* readers or cards came or went: see left */
	READERS_LATE,  /* none in time */
	READERS_LOST,  /* pcscd has gone, or is not there */
};

/*
 * PC/SC's library, NULL where nothing in this process has loaded it. It stays: the thread that
 * waits may outlive the module's own use of it.
 */
void *readers_library(void);
/* *function is a pointer to a function, which is left NULL where there is none of that name. */
bool readers_symbol(void *library, const char *name, void *function);
/* False: nothing in this process has loaded PC/SC's library. */
bool readers_find(struct readers *readers);
/* False: pcscd is not there, or refuses. */
bool readers_connect(struct readers *readers);
void readers_disconnect(struct readers *readers);
/*
 * Blocks until something changes, or for so long; 0: for as long as it takes. The first one after
 * readers_connect() takes stock.
 */
enum readers_news readers_wait(struct readers *readers, unsigned timeout_ms);
bool readers_has_card(const struct card_reader *reader);
/* Slots are described by their reader's name, for which the description may be too short. */
bool readers_is_at(const char *location, const char *reader);

#endif
