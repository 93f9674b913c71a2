/*
 * A card that the module's own PC/SC library reaches, for the few commands that PKCS#11 has no
 * words for. All of them lie in one transaction: never between the commands of the module's
 * operation, nor of another program's. The card is left as it was.
 */
#ifndef KEYSTILE_PKCS11_CARD_H
#define KEYSTILE_PKCS11_CARD_H

#include <time.h>

#include <winscard.h>

#include <keystile/buffer.h>

/* The functions of PC/SC that the module has loaded; zeroed: none. */
struct card_library {
	__typeof__(SCardEstablishContext) *establish;
	__typeof__(SCardReleaseContext) *release;
	__typeof__(SCardListReaders) *list;
	__typeof__(SCardConnect) *connect;
	__typeof__(SCardDisconnect) *disconnect;
	__typeof__(SCardBeginTransaction) *begin;
	__typeof__(SCardEndTransaction) *end;
	__typeof__(SCardStatus) *status;
	__typeof__(SCardTransmit) *transmit;
};

/* A card that is had alone, from card_open() to card_close(). */
struct card {
	const struct card_library *library;
	SCARDCONTEXT context;
	SCARDHANDLE handle;
	DWORD protocol;
	bool yubikey; /* as its answer to reset says */
	bool failed;  /* for good: it went, was late, or said too much */
	unsigned sent;
	struct timespec due;
};

struct card_command {
	uint8_t instruction;
	uint8_t p1;
	uint8_t p2;
	struct bytes data; /* at most 255 bytes */
	bool silent;	   /* nothing but a status word is expected; it has no data then */
};

#define CARD_OK 0x9000U
#define CARD_ANSWER_MAX ((size_t)4096)

/* False: nothing in this process has loaded PC/SC's library. */
bool card_library_find(struct card_library *library);
/*
 * Opens the card in the one reader that chosen() picks, which it is asked of each. False: it picked
 * none, or several, or the card can't be had now; there is nothing to close then.
 */
bool card_open(struct card *card, const struct card_library *library,
	bool (*chosen)(const char *reader, const void *context), const void *context);
void card_close(struct card *card);
/*
 * The status word, 0 where there is none: the card is not to be asked again. What it answers, in
 * as many pieces as it takes, replaces what is in answer.
 */
unsigned card_ask(struct card *card, const struct card_command *command, struct buf *answer);

#endif
