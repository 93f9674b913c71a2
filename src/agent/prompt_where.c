/*
 * See prompt_where.h.
 */
#include "prompt_where.h"

#include <unistd.h>

#include <keystile/log.h>
#include <keystile/process.h>

#include "agent.h"
#include "control_server.h"
#include "prompter.h"
#include "user_manager.h"

/* The helper looks closer. */
static bool has_terminal(const struct prompt_asker *asker)
{
	struct process process;

	return asker != NULL && asker->pid > 0 && process_read(asker->pid, &process) &&
	       process.start_time == asker->start_time && process_in_foreground(&process);
}

struct prompt_way_choice prompt_where(
	const struct agent *agent, enum prompt_kind kind, const struct prompt_asker *asker)
{
	const struct prompt_way_facts facts = {.config = &agent->config,
		.environment = surroundings_environment(&agent->surroundings),
		.pinentry_installed = access(prompt_way_pinentry(&agent->config), X_OK) == 0,
		.prompter = prompter_ready(agent) != NULL,
		.asker = has_terminal(asker)};

	return prompt_way_choose(&facts, kind);
}

bool prompt_where_look(struct agent *agent, enum prompt_kind kind)
{
	const struct surroundings *surroundings = &agent->surroundings;
	int bus = surroundings_variable("DBUS_SESSION_BUS_ADDRESS");

	/* What the manager said before may be of a session that has ended. */
	return surroundings_source(surroundings, SURROUNDINGS_DISPLAY) >= SURROUNDINGS_MANAGER &&
	       prompt_where(agent, kind, NULL).wants_display &&
	       user_manager_ask(agent->user_manager, surroundings_value(surroundings, bus));
}

void prompt_where_told(struct agent *agent, struct surroundings_values *values, const char *trouble)
{
	if (trouble == NULL && surroundings_manage(&agent->surroundings, values) != KS_OK)
		trouble = "out of memory";
	if (trouble != NULL)
		log_info("no display was learnt of systemd's user manager: %s", trouble);
	agent->surroundings_trouble = trouble;
	prompts_looked(agent);
	controls_looked(agent);
}
