/*
 * Locked memory through which every message passes that carries a PIN, a password or a private key.
 * A connection gets it, reads its message and gives it back wiped. For all but the longest there is
 * one place, which is given once the message is there as a whole: half a message keeps nobody else
 * waiting, and is closed after a while. What is too long to be queued by the kernel (a key with
 * hundreds of destinations), or comes in pieces so small that it never is, has a second one, where
 * such messages wait for each other, each a second at most.
 */
#ifndef AGENT_VAULT_H
#define AGENT_VAULT_H

#include <uv.h>

#include <keystile/secret.h>

struct agent;
struct connection;

struct vault {
	struct secret memory;
	struct connection *holder; /* NULL: it is free */
	uint64_t held_since_ms;	   /* of uv_now() */
};

struct vaults {
	struct vault whole;    /* always there */
	struct vault long_one; /* its memory is there while it is held */
	uv_timer_t clock;      /* runs while somebody waits or is waited for */
};

KS_MUST_CHECK enum ks_error vaults_init(struct agent *agent);
void vaults_deinit(struct agent *agent);
/*
 * For a connection with connection->body_left bytes to come, at the beginning of a body. Sets
 * connection->vault, or leaves it NULL when these are not there yet or another holds it:
 * connection_continue() is called when it is worth trying again.
 */
void vault_claim(struct connection *connection);
/* Wipes, and lets the next one in. Nothing where the connection neither holds nor waits. */
void vault_release(struct connection *connection);

#endif
