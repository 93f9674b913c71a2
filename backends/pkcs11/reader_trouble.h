/*
 * Why a card is missed, as far as PC/SC knows: for the person who is told that a token is not
 * there.
 */
#ifndef KEYSTILE_PKCS11_READER_TROUBLE_H
#define KEYSTILE_PKCS11_READER_TROUBLE_H

#include <keystile/backend.h>

enum reader_trouble {
	READER_FINE, /* as far as is known: or nothing here speaks with PC/SC */
	READER_NO_SERVICE,
	READER_NOT_ALLOWED,
	READER_MISSING,
	READER_EMPTY,
	READER_HELD, /* another program has it to itself */
	READER_FULL, /* a card is in it */
};

/* Of the reader that a slot's description names. */
enum reader_trouble reader_trouble_at(const char *location);
/*
 * Explains it to the person, where there is any: of that reader, or of all of them (NULL), when the
 * module showed no token.
 */
enum reader_trouble reader_trouble_explain(struct ks_operation *operation, const char *location);

#endif
