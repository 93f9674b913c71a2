/*
 * See prompt_where.h.
 */
#include "prompt_where.h"

#include <unistd.h>

#include <keystile/log.h>

#include "agent.h"
#include "control_server.h"
#include "user_manager.h"

struct prompt_way_choice prompt_where(const struct agent *agent, enum prompt_kind kind)
{
	const struct prompt_way_facts facts = {.config = &agent->config,
		.environment = surroundings_environment(&agent->surroundings),
		.pinentry_installed = access(prompt_way_pinentry(&agent->config), X_OK) == 0};

	return prompt_way_choose(&facts, kind);
}

bool prompt_where_look(struct agent *agent, enum prompt_kind kind)
{
	const struct surroundings *surroundings = &agent->surroundings;
	int bus = surroundings_variable("DBUS_SESSION_BUS_ADDRESS");

	/* What the manager said before may be of a session that has ended. */
	return surroundings_source(surroundings, SURROUNDINGS_DISPLAY) >= SURROUNDINGS_MANAGER &&
	       prompt_where(agent, kind).wants_display &&
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
