/*
 * See vault.h. A message is "there" when the kernel has all of it queued; poll() can't wait for
 * that, so a clock looks, as long as anybody waits.
 */
#include "vault.h"

#include <sys/ioctl.h>

#include <keystile/log.h>

#include "agent.h"
#include "connection.h"

#define CLOCK_MS 20
#define WAITING_MAX_MS 5000
/* By then honest clients' messages are there. One that comes in small pieces never is: the kernel
 * queues a few hundred of them, however small. */
#define SLOWLY_MS 200
/* A long message that comes slowly is waited for, less where another has to wait for it. */
#define HOLDING_MAX_MS 5000
#define HOLDING_UP_MAX_MS 1000
/* What a socket queues as a whole, whatever its limits are. */
#define WHOLE_MAX ((size_t)64 * 1024)

static void on_clock(uv_timer_t *clock);

enum ks_error vaults_init(struct agent *agent)
{
	struct vaults *vaults = &agent->vaults;
	enum ks_error error = secret_init(&vaults->whole.memory, WHOLE_MAX);

	if (error != KS_OK)
		return error;
	uv_timer_init(&agent->loop, &vaults->clock);
	vaults->clock.data = agent;
	return KS_OK;
}

void vaults_deinit(struct agent *agent)
{
	uv_close((uv_handle_t *)&agent->vaults.clock, NULL);
	secret_deinit(&agent->vaults.whole.memory);
}

static void run_clock(struct agent *agent)
{
	uv_timer_t *clock = &agent->vaults.clock;

	if (!uv_is_active((uv_handle_t *)clock) && !agent->stopping)
		uv_timer_start(clock, on_clock, CLOCK_MS, CLOCK_MS);
}

static bool is_there(const struct connection *connection)
{
	int queued = 0;

	return ioctl(connection->stream.fd, FIONREAD, &queued) == 0 && queued >= 0 &&
	       (size_t)queued >= connection->body_left;
}

static bool is_long(const struct connection *connection)
{
	return connection->body_left > WHOLE_MAX;
}

/* The place that it may have now, NULL: none. */
static struct vault *free_vault(const struct connection *connection)
{
	struct vaults *vaults = &connection->agent->vaults;

	if (!is_long(connection) && vaults->whole.holder == NULL && is_there(connection))
		return &vaults->whole;
	if ((is_long(connection) || connection->comes_slowly) && vaults->long_one.holder == NULL)
		return &vaults->long_one;
	return NULL;
}

static void wait_for_vault(struct connection *connection)
{
	if (!connection->waits_for_vault)
		connection->waits_since_ms = uv_now(&connection->agent->loop);
	connection->waits_for_vault = true;
	run_clock(connection->agent);
}

static void take(struct connection *connection, struct vault *vault)
{
	vault->holder = connection;
	vault->held_since_ms = uv_now(&connection->agent->loop);
	connection->vault = vault;
}

void vault_claim(struct connection *connection)
{
	struct vaults *vaults = &connection->agent->vaults;
	struct vault *vault = free_vault(connection);

	if (vault == &vaults->long_one &&
		secret_init(&vault->memory, connection->body_left) != KS_OK)
		vault = NULL;
	if (vault == NULL) {
		wait_for_vault(connection);
		return;
	}
	take(connection, vault);
	if (vault == &vaults->long_one)
		run_clock(connection->agent);
}

/* One that is late is closed, one whose message has come reads on. False: nobody waits. */
static bool serve_waiting(struct agent *agent, uint64_t now)
{
	struct connection *next;
	bool waiting = false;

	for (struct connection *connection = agent->connections; connection != NULL;
		connection = next) {
		next = connection->next;
		if (!connection->waits_for_vault)
			continue;
		waiting = true;
		if (now - connection->waits_since_ms > SLOWLY_MS)
			connection->comes_slowly = true;
		if (now - connection->waits_since_ms > WAITING_MAX_MS) {
			log_info("a client sent half a message and no more: closed");
			connection_close(connection);
		} else if (free_vault(connection) != NULL) {
			connection->waits_for_vault = false;
			connection_continue(connection);
		}
	}
	return waiting;
}

/* False: it is free. */
static bool limit_holding(struct vault *vault, bool waited_for, uint64_t now)
{
	uint64_t limit_ms = waited_for ? HOLDING_UP_MAX_MS : HOLDING_MAX_MS;

	if (vault->holder != NULL && now - vault->held_since_ms > limit_ms) {
		log_info("a client sent a long message too slowly: closed");
		connection_close(vault->holder);
	}
	return vault->holder != NULL;
}

static void on_clock(uv_timer_t *clock)
{
	struct agent *agent = clock->data;
	uint64_t now = uv_now(&agent->loop);
	bool waiting = serve_waiting(agent, now);

	if (!limit_holding(&agent->vaults.long_one, waiting, now) && !waiting)
		uv_timer_stop(clock);
}

void vault_release(struct connection *connection)
{
	struct vault *vault = connection->vault;

	connection->waits_for_vault = false;
	connection->comes_slowly = false;
	connection->vault = NULL;
	if (vault == NULL)
		return;
	vault->holder = NULL;
	if (vault == &connection->agent->vaults.long_one)
		secret_deinit(&vault->memory);
	else
		secret_wipe(&vault->memory);
}
