/*
 * What workers were kept from since the agent started, for `keystile status`: sockets, system
 * calls, files. A row for each distinct thing, with a count, so that a person whose module needs
 * more finds out what to grant. Of what came from a worker nothing is believed. Threads of brokers
 * add, the event loop reads.
 */
#ifndef AGENT_DENIALS_H
#define AGENT_DENIALS_H

#include <jansson.h>

#include <keystile/error.h>

#define DENIALS_KEPT 192
#define DENIALS_KEPT_EACH 128 /* of one provider */

enum denial_kind {
	DENIAL_CONNECT, /* what: an address, as broker_address_text() writes it */
	DENIAL_CALL,	/* what: the name of a system call */
	DENIAL_READ,	/* what: a path */
	DENIAL_WRITE,
};

struct denials;

/* NULL: no memory. Shared: freed with the last reference. */
struct denials *denials_new(void);
struct denials *denials_reference(struct denials *denials);
void denials_release(struct denials *denials);

/* Texts may be foreign; what is too long is cut. The first of its kind is logged. */
void denials_add(struct denials *denials, const char *backend, const char *provider,
	enum denial_kind kind, const char *what);
/* The newest first. */
json_t *denials_json(struct denials *denials);

#endif
