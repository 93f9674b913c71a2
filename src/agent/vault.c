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
/* Long messages can't be queued as a whole; these are the ones that are waited for while they come.
 */
#define QUEUED_MAX ((size_t)64 * 1024)
#define HOLDING_MAX_MS 1000

static void on_clock(uv_timer_t *clock);

enum ks_error vault_init(struct agent *agent)
{
	enum ks_error error = secret_init(&agent->vault.memory, VAULT_MESSAGE_MAX);

	if (error != KS_OK)
		return error;
	uv_timer_init(&agent->loop, &agent->vault.clock);
	agent->vault.clock.data = agent;
	return KS_OK;
}

void vault_deinit(struct agent *agent)
{
	uv_close((uv_handle_t *)&agent->vault.clock, NULL);
	secret_deinit(&agent->vault.memory);
}

static void run_clock(struct agent *agent)
{
	uv_timer_t *clock = &agent->vault.clock;

	if (!uv_is_active((uv_handle_t *)clock) && !agent->stopping)
		uv_timer_start(clock, on_clock, CLOCK_MS, CLOCK_MS);
}

static bool is_there(const struct connection *connection)
{
	int queued = 0;

	return ioctl(connection->stream.fd, FIONREAD, &queued) == 0 && queued >= 0 &&
	       (size_t)queued >= connection->body_left;
}

static void wait_for_vault(struct connection *connection)
{
	if (!connection->waits_for_vault)
		connection->waits_since_ms = uv_now(&connection->agent->loop);
	connection->waits_for_vault = true;
	run_clock(connection->agent);
}

bool vault_claim(struct connection *connection)
{
	struct vault *vault = &connection->agent->vault;

	if (vault->holder != NULL || !is_there(connection)) {
		wait_for_vault(connection);
		return false;
	}
	vault->holder = connection;
	return true;
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
		if (now - connection->waits_since_ms > WAITING_MAX_MS) {
			log_info("a client sent half a message and no more: closed");
			connection_close(connection);
		} else if (agent->vault.holder == NULL && is_there(connection)) {
			connection->waits_for_vault = false;
			connection_continue(connection);
		}
	}
	return waiting;
}

static void on_clock(uv_timer_t *clock)
{
	struct agent *agent = clock->data;

	if (!serve_waiting(agent, uv_now(&agent->loop)))
		uv_timer_stop(clock);
}

void vault_release(struct connection *connection)
{
	struct vault *vault = &connection->agent->vault;

	connection->waits_for_vault = false;
	if (vault->holder != connection)
		return;
	secret_wipe(&vault->memory);
	vault->holder = NULL;
}
