/*
 * The record of the session's surroundings as JSON, in and out. See surroundings_control.h.
 */
#include "surroundings_control.h"

#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "agent.h"
#include "prompt_where.h"
#include "prompter.h"
#include "status.h"

/* ---- How people are asked ---- */

static const char *const sources[] = {
	[SURROUNDINGS_UPDATE] = "keystile env --update",
	[SURROUNDINGS_START] = "the agent's start",
	[SURROUNDINGS_MANAGER] = "systemd's user environment",
};

/* The first of its part's variables that is set, in the order of the table. */
static json_t *part_json(const struct surroundings *surroundings, enum surroundings_part part)
{
	enum surroundings_source source = surroundings_source(surroundings, part);
	const char *value = NULL;

	for (int i = 0; i < SURROUNDINGS_VARIABLES && value == NULL; i++)
		if (surroundings_part_of(i) == part)
			value = surroundings_value(surroundings, i);
	if (source == SURROUNDINGS_NOBODY || value == NULL)
		return json_null();
	return json_pack("{s:o,s:s}", "name", foreign_text(value), "from", sources[source]);
}

/* An X display may be the one that a Wayland compositor gives. */
static json_t *display_json(const struct surroundings *surroundings)
{
	int wayland = surroundings_variable("WAYLAND_DISPLAY");
	json_t *json = part_json(surroundings, SURROUNDINGS_DISPLAY);
	const char *name = surroundings_value(surroundings, wayland);

	if (json_is_object(json) && name != NULL)
		json_object_set_new(json, "wayland", foreign_text(name));
	return json;
}

json_t *surroundings_asking_json(const struct agent *agent)
{
	const struct surroundings *surroundings = &agent->surroundings;
	struct prompt_way_choice choice = prompt_where(agent, PROMPT_PIN, NULL);
	const struct prompter *prompter = prompter_ready(agent);
	AUTO(text) waits = NULL;

	if (choice.way == PROMPT_BY_PROMPTER && prompter != NULL)
		waits = text_format("keystile prompter (pid %d)", (int)prompter->pid);

	return json_pack("{s:s,s:o,s:s*,s:o,s:o,s:o,s:s*}", "way",
		choice.obstacle != NULL ? "nobody" : prompt_way_name(choice.way), "program",
		foreign_text(waits != NULL ? waits : choice.program), "obstacle", choice.obstacle,
		"display", display_json(surroundings), "bus",
		part_json(surroundings, SURROUNDINGS_BUS), "terminal",
		part_json(surroundings, SURROUNDINGS_TERMINAL), "systemd",
		agent->surroundings_trouble);
}

/* ---- An update ---- */

static void refuse(json_t *refused, const char *name, const char *reason)
{
	json_array_append_new(
		refused, json_pack("{s:o,s:s}", "name", foreign_text(name), "reason", reason));
}

/* False: out of memory. */
static bool take_variable(
	struct surroundings_values *fresh, json_t *refused, const char *name, const json_t *json)
{
	int variable = surroundings_variable(name);
	const char *value = json_string_value(json);
	const char *flaw;

	if (variable < 0) {
		refuse(refused, name, "it is none of the variables that are taken");
		return true;
	}
	if (value == NULL) {
		refuse(refused, name, "its value is no text");
		return true;
	}
	if (*value == '\0')
		return true;
	flaw = surroundings_flaw(variable, value);
	if (flaw == NULL)
		return surroundings_set(fresh, variable, value) == KS_OK;
	refuse(refused, name, flaw);
	return true;
}

/* Nothing of a part is taken where none of its values says which one is meant. */
static void drop_undecided(struct surroundings_values *fresh, json_t *refused)
{
	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++) {
		if (fresh->entries[i] == NULL || surroundings_has(fresh, surroundings_part_of(i)))
			continue;
		refuse(refused, surroundings_name(i),
			"without the display, terminal or language that it belongs to it says "
			"nothing");
		surroundings_drop(fresh, i);
	}
}

static json_t *names_json(const struct surroundings_values *values)
{
	json_t *list = json_array();

	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++)
		if (values->entries[i] != NULL)
			json_array_append_new(list, json_string(surroundings_name(i)));
	return list;
}

static json_t *text_or_null(const char *text)
{
	return text == NULL ? json_null() : foreign_text(text);
}

/* What prompt programs inherit. */
static json_t *values_json(const struct surroundings *surroundings)
{
	json_t *values = json_object();

	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++)
		json_object_set_new(values, surroundings_name(i),
			text_or_null(surroundings_value(surroundings, i)));
	return values;
}

static json_t *changes_json(const json_t *before, const json_t *now)
{
	json_t *list = json_array();

	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++) {
		const char *name = surroundings_name(i);
		json_t *was = json_object_get(before, name);
		json_t *is = json_object_get(now, name);

		if (!json_equal(was, is))
			json_array_append_new(list,
				json_pack("{s:s,s:O,s:O}", "name", name, "before", was, "now", is));
	}
	return list;
}

/* Empties fresh. */
static json_t *update(struct agent *agent, struct surroundings_values *fresh, json_t *refused)
{
	json_t *taken = names_json(fresh);
	json_t *before = values_json(&agent->surroundings);
	json_t *answer = NULL;

	if (surroundings_update(&agent->surroundings, fresh) == KS_OK) {
		json_t *now = values_json(&agent->surroundings);

		answer = json_pack("{s:b,s:O,s:o,s:O,s:o}", "ok", 1, "taken", taken, "changed",
			changes_json(before, now), "refused", refused, "asking",
			surroundings_asking_json(agent));
		json_decref(now);
		log_info("the session's surroundings were updated by `keystile env --update`");
	}
	json_decref(taken);
	json_decref(before);
	return answer;
}

json_t *surroundings_update_json(struct agent *agent, const json_t *request)
{
	const json_t *given = json_object_get(request, "variables");
	struct surroundings_values fresh = {0};
	json_t *refused;
	json_t *answer = NULL;
	const char *name;
	const json_t *value;
	bool whole = true;

	if (!json_is_object(given))
		return json_pack("{s:b,s:s}", "ok", 0, "error", "the variables are missing");
	refused = json_array();
	/* The macro casts away const from what it only reads. */
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		whole = whole && take_variable(&fresh, refused, name, value);
	}
	drop_undecided(&fresh, refused);
	if (whole)
		answer = update(agent, &fresh, refused);
	surroundings_values_deinit(&fresh);
	json_decref(refused);
	return answer;
}
