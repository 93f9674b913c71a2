/* What the token does wrong when a test tells it to, in the bytes that it sends. */
#ifndef AUTHENTICATOR_FAULT_H
#define AUTHENTICATOR_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULT_REPLY_MAX 7609

enum fault_kind {
	FAULT_NONE,
	FAULT_MALFORMED,	    /* bytes that are no CBOR */
	FAULT_TRUNCATED,	    /* half of the CBOR */
	FAULT_OVERSIZED,	    /* as many bytes as a message can have */
	FAULT_EMPTY,		    /* a message of no bytes */
	FAULT_STATUS,		    /* an error that does not exist */
	FAULT_REPLY,		    /* the bytes that the test gave */
	FAULT_CHANNEL,		    /* another channel's number */
	FAULT_COMMAND,		    /* another command's number */
	FAULT_LENGTH,		    /* a length beyond what comes */
	FAULT_LENGTH_MOST,	    /* the highest length there is */
	FAULT_MISSING_CONTINUATION, /* the first packet alone */
	FAULT_SEQUENCE,		    /* packets in a wrong order */
	FAULT_SILENCE,		    /* nothing */
	FAULT_KEEPALIVE,	    /* keep-alives for ever, until it is pulled or begun anew */
	FAULT_DEAF,		    /* nothing is heard any more, INIT neither */
	FAULT_STUBBORN,		    /* CANCEL does not end what is worked on */
	FAULT_BUSY,		    /* a command is not taken: another channel's is worked on */
	FAULT_BUSY_INIT,	    /* nor is an INIT */
	FAULT_SIGNATURE,	    /* a signature that is not good */
	FAULT_APPLICATION,	    /* authenticator data of another application */
	FAULT_CREDENTIAL,	    /* another credential's identifier */
	FAULT_NO_TOUCH,		    /* says that nobody touched it */
	FAULT_NO_PIN,		    /* says that no PIN was given */
	FAULT_KINDS,
};

struct fault {
	enum fault_kind kind;
	unsigned times;	     /* commands that are still to be spoilt */
	int only_command;    /* a CTAP command's number; -1: any */
	int only_subcommand; /* of clientPIN; -1: any */
	bool now;	     /* the command that is worked on is spoilt */
	bool sending;	     /* its answer goes out, no keep-alive */
	uint8_t reply[FAULT_REPLY_MAX];
	size_t reply_len;
};

struct fault_frames {
	uint32_t channel;
	uint8_t command;
	size_t len; /* announced */
	uint8_t first_sequence;
	bool only_first;
	bool silent;
};

struct token;

/* FAULT_KINDS: there is none of that name. */
enum fault_kind fault_named(const char *name);

/* A CTAP command begins: whether it is to be spoilt. */
void fault_command_begins(struct token *token, uint8_t command);

/* It is this one of clientPIN, which may not be the one that is to be spoilt. */
void fault_subcommand_begins(struct token *token, int64_t subcommand);

/* True: the command that is worked on is spoilt in this way. */
bool fault_is(const struct token *token, enum fault_kind kind);

/* Changes an answer of a CTAP command; returns its new length, of at most room. */
size_t fault_answer(struct token *token, uint8_t *answer, size_t len, size_t room);

/* How the packets of an answer look. */
struct fault_frames fault_frames(
	const struct token *token, uint32_t channel, uint8_t command, size_t len);

void fault_message_done(struct token *token);

bool fault_deaf(const struct token *token);

bool fault_stubborn(const struct token *token);

/* A message begins with this byte, or INIT is all of it: whether the token is too busy for it. */
bool fault_busy(struct token *token, uint8_t command);
bool fault_busy_init(struct token *token);

#endif
