/*
 * Where a worker may connect to, as keystile.conf(5) writes it: "/run/pcscd/pcscd.comm",
 * "@name" (an abstract socket), "tcp:127.0.0.1:2321", "tcp:[::1]:2321". Names of hosts are not
 * resolved. Pure functions: no path is ever looked at.
 */
#ifndef AGENT_BROKER_ADDRESS_H
#define AGENT_BROKER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include <keystile/buffer.h>

/* Of one form: two that mean the same are the same bytes. */
struct broker_address {
	struct sockaddr_storage address; /* 0 behind its end */
	socklen_t len;
};

#define BROKER_ADDRESS_TEXT_MAX 128

/* False: not as above. */
bool broker_address_parse(const char *text, struct broker_address *out);
/* What a process handed to connect(2): foreign bytes. False: of no kind that is known here. */
bool broker_address_read(struct bytes bytes, struct broker_address *out);
bool broker_address_same(const struct broker_address *a, const struct broker_address *b);
bool broker_address_is_tcp(const struct broker_address *address);
/* As it would be written, foreign text where it was read; always terminated. */
void broker_address_text(
	const struct broker_address *address, char out[static BROKER_ADDRESS_TEXT_MAX]);

#endif
