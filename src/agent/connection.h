/*
 * A client's connection: framing, the order of replies, back-pressure. One message is read at a
 * time and nothing more until it is answered and the answer has left, so a client that asks and
 * never reads holds one message and one reply, and the kernel's buffers hold the rest.
 */
#ifndef AGENT_CONNECTION_H
#define AGENT_CONNECTION_H

#include "message.h"
#include "origin.h"
#include "request.h"
#include "session_bind.h"
#include "stream.h"

#define MESSAGE_MAX ((size_t)256 * 1024) /* length field's limit, inclusive */
#define MESSAGE_HEADER 4

struct agent;
struct audit_record;
struct listener;

struct connection {
	struct connection *next;
	struct agent *agent;
	const struct listener *listener; /* on which it came in */
	uint64_t id;
	struct stream stream;
	struct peer peer;
	struct origin origin;
	bool first_message_seen;
	struct session_binds binds;
	/* The message that is being read. */
	uint8_t header[MESSAGE_HEADER + 1]; /* length and type */
	size_t header_len;
	size_t body_left;
	struct buf body;     /* without the type; for ordinary messages */
	bool secret;	     /* the body goes to locked memory */
	struct vault *vault; /* while it is read, NULL before */
	bool discard;	     /* the body is read past and answered by failure */
	bool waits_for_vault;
	bool comes_slowly;	    /* the body, in pieces too small to be queued as a whole */
	uint64_t waits_since_ms;    /* of uv_now() */
	struct request *request;    /* in work, or NULL */
	struct audit_record *audit; /* of the message at hand, or NULL */
	bool closing;
};

/* Takes fd. Refuses (closes) peers that may not be here at all. */
void connection_accept(struct agent *agent, int fd, const struct listener *listener);
/* Abandons its request; the memory goes later. */
void connection_close(struct connection *connection);
/* Answers the message or request at hand with a body, whose content is taken. */
void connection_reply(struct connection *connection, struct buf *body);
/* The same for an answer that is only a type. */
void connection_answer(struct connection *connection, enum message_type type);
/* See peer_unchanged(). */
bool connection_peer_unchanged(struct connection *connection);
/* Reads on; for who stopped it. */
void connection_continue(struct connection *connection);

#endif
