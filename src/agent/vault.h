/*
 * The one locked buffer through which every message passes that carries a PIN, a password or a
 * private key. A connection gets it once its message is there as a whole, reads it and gives it
 * back wiped, all in one go: half a message keeps nobody else waiting, and is closed after a while.
 */
#ifndef AGENT_VAULT_H
#define AGENT_VAULT_H

#include <uv.h>

#include <keystile/secret.h>

struct agent;
struct connection;

/* Longer ones are refused: they could not be queued as a whole, and no PIN or key needs it. */
#define VAULT_MESSAGE_MAX ((size_t)64 * 1024)

struct vault {
	struct secret memory; /* VAULT_MESSAGE_MAX bytes */
	struct connection *holder;
	uv_timer_t clock; /* runs while somebody waits */
};

KS_MUST_CHECK enum ks_error vault_init(struct agent *agent);
void vault_deinit(struct agent *agent);
/*
 * For a connection with connection->body_left bytes to come. False when these are not there yet or
 * another holds the vault: connection_continue() is called when it is worth trying again.
 */
bool vault_claim(struct connection *connection);
/* Wipes, and lets the next one in. Nothing where the connection neither holds nor waits. */
void vault_release(struct connection *connection);

#endif
