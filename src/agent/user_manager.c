/*
 * One property of the manager, read over the user's bus. sd_bus_call() would wait for the greeting
 * of a bus as long as that takes, so the answer is waited for here. See user_manager.h.
 */
#include "user_manager.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-bus.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "agent.h"

#define SERVICE "org.freedesktop.systemd1"
#define OBJECT "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define VARIABLES_MAX 4096
/* The user's own one, where the manager is; the session's may be another, or the only one. */
#define BUSES 2

struct user_manager {
	uv_work_t work;
	struct agent *agent;
	user_manager_told *told;
	bool running;
	/* The thread's while it runs. */
	char *buses[BUSES];
	struct surroundings_values values;
	const char *trouble;
};

/* ---- On the thread ---- */

struct question {
	sd_bus *bus;
	struct surroundings_values *values;
	int64_t deadline_ms;
	enum { QUESTION_OPEN, QUESTION_ANSWERED, QUESTION_REFUSED } state;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is not wanted or not of the right shape is passed over: it is not for us alone. */
static bool take_variable(struct surroundings_values *values, const char *entry)
{
	const char *end = strchr(entry, '=');
	AUTO(text) name = end == NULL ? NULL : strndup(entry, (size_t)(end - entry));
	int variable = name == NULL ? -1 : surroundings_variable(name);

	if (variable < 0 || end[1] == '\0' || surroundings_flaw(variable, end + 1) != NULL)
		return end == NULL || name != NULL;
	return surroundings_set(values, variable, end + 1) == KS_OK;
}

static bool take_answer(struct surroundings_values *values, sd_bus_message *message)
{
	const char *entry;
	int got = -1;

	if (sd_bus_message_is_method_error(message, NULL) ||
		sd_bus_message_enter_container(message, 'v', "as") < 0 ||
		sd_bus_message_enter_container(message, 'a', "s") < 0)
		return false;
	for (unsigned i = 0; i < VARIABLES_MAX; i++) {
		got = sd_bus_message_read(message, "s", &entry);
		if (got <= 0 || !take_variable(values, entry))
			break;
	}
	return got == 0;
}

static int on_answer(sd_bus_message *message, void *owner, sd_bus_error *error)
{
	struct question *question = owner;

	(void)error;
	question->state =
		take_answer(question->values, message) ? QUESTION_ANSWERED : QUESTION_REFUSED;
	return 0;
}

/* Starts nothing: where there is no manager none is wanted. */
static bool send_question(struct question *question, const char *address)
{
	sd_bus_message *call = NULL;
	bool sent;

	sent = sd_bus_new(&question->bus) >= 0 && sd_bus_set_address(question->bus, address) >= 0 &&
	       sd_bus_set_bus_client(question->bus, 1) >= 0 && sd_bus_start(question->bus) >= 0 &&
	       sd_bus_message_new_method_call(question->bus, &call, SERVICE, OBJECT,
		       "org.freedesktop.DBus.Properties", "Get") >= 0 &&
	       sd_bus_message_set_auto_start(call, 0) >= 0 &&
	       sd_bus_message_append(call, "ss", MANAGER, "Environment") >= 0 &&
	       sd_bus_call_async(question->bus, NULL, call, on_answer, question, UINT64_MAX) >= 0;
	sd_bus_message_unref(call);
	return sent;
}

/* False: the time is over. */
static bool wait_for_bus(const struct question *question)
{
	int events = sd_bus_get_events(question->bus);
	struct pollfd end = {
		.fd = sd_bus_get_fd(question->bus), .events = (short)(events > 0 ? events : 0)};
	int64_t left_ms = question->deadline_ms - now_ms();

	if (left_ms <= 0)
		return false;
	(void)poll(&end, 1, (int)left_ms);
	return true;
}

/* NULL: it has answered. */
static const char *ask_at(
	const char *address, int64_t deadline_ms, struct surroundings_values *values)
{
	struct question question = {.values = values, .deadline_ms = deadline_ms};
	bool in_time = true;
	int processed = send_question(&question, address) ? 1 : -1;

	while (processed >= 0 && question.state == QUESTION_OPEN && in_time) {
		processed = sd_bus_process(question.bus, NULL);
		if (processed == 0)
			in_time = wait_for_bus(&question);
		else
			in_time = now_ms() < deadline_ms;
	}
	sd_bus_close_unref(question.bus);
	if (question.state == QUESTION_ANSWERED)
		return NULL;
	if (!in_time)
		return "it did not answer in time";
	return question.state == QUESTION_REFUSED ? "there is none on the user's bus"
						  : "the user's bus can't be reached";
}

static void run(uv_work_t *work)
{
	struct user_manager *manager = work->data;
	int64_t deadline_ms = now_ms() + USER_MANAGER_WAIT_MS;

	manager->trouble = "no bus of the user's is known";
	for (size_t i = 0; i < BUSES && manager->trouble != NULL; i++)
		if (manager->buses[i] != NULL)
			manager->trouble = ask_at(manager->buses[i], deadline_ms, &manager->values);
	if (manager->trouble != NULL)
		surroundings_values_deinit(&manager->values);
}

/* ---- On the loop ---- */

static void forget_buses(struct user_manager *manager)
{
	for (size_t i = 0; i < BUSES; i++) {
		free(manager->buses[i]);
		manager->buses[i] = NULL;
	}
}

static void on_run(uv_work_t *work, int status)
{
	struct user_manager *manager = work->data;

	(void)status;
	manager->running = false;
	forget_buses(manager);
	if (!manager->agent->stopping)
		manager->told(manager->agent, &manager->values, manager->trouble);
	surroundings_values_deinit(&manager->values);
}

/* An address may not hold what its own grammar uses. */
static char *own_bus(void)
{
	const char *folder = secure_getenv("XDG_RUNTIME_DIR");

	return folder != NULL && folder[0] == '/' && strpbrk(folder, "%,;=") == NULL
		       ? text_format("unix:path=%s/bus", folder)
		       : NULL;
}

struct user_manager *user_manager_new(struct agent *agent, user_manager_told *told)
{
	struct user_manager *manager = calloc(1, sizeof(*manager));

	if (manager == NULL)
		return NULL;
	*manager = (struct user_manager){.agent = agent, .told = told};
	manager->work.data = manager;
	return manager;
}

bool user_manager_ask(struct user_manager *manager, const char *bus)
{
	int variable = surroundings_variable("DBUS_SESSION_BUS_ADDRESS");

	if (manager->running)
		return true;
	manager->buses[0] = own_bus();
	if (bus != NULL && surroundings_flaw(variable, bus) == NULL)
		manager->buses[1] = strdup(bus);
	manager->running = (manager->buses[0] != NULL || manager->buses[1] != NULL) &&
			   uv_queue_work(&manager->agent->loop, &manager->work, run, on_run) == 0;
	if (!manager->running)
		forget_buses(manager);
	return manager->running;
}

bool user_manager_asked(const struct user_manager *manager)
{
	return manager->running;
}

bool user_manager_free(struct user_manager **manager)
{
	if (*manager == NULL)
		return true;
	if ((*manager)->running)
		return false;
	free(*manager);
	*manager = NULL;
	return true;
}
