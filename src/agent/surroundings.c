/*
 * The record of the session's surroundings: what may be taken, and whose word counts. See
 * surroundings.h.
 */
#include "surroundings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/text.h>

typedef const char *flaw_of(const char *value);

/* ---- What a value may look like ---- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

/* One or more characters, each a letter, a digit or one of these. */
static bool made_of(const char *value, const char *others)
{
	for (const char *at = value; *at != '\0'; at++)
		if (strchr(letters, *at) == NULL && strchr(digits, *at) == NULL &&
			strchr(others, *at) == NULL)
			return false;
	return *value != '\0';
}

/* Absolute, without a way back up. */
static bool is_path(const char *value)
{
	return value[0] == '/' && strstr(value, "/../") == NULL &&
	       (strlen(value) < 3 || strcmp(value + strlen(value) - 3, "/..") != 0);
}

/* On this machine: what is typed into another one's window has left it. */
static const char *display_flaw(const char *value)
{
	size_t number;

	if (strncmp(value, "unix:", strlen("unix:")) == 0)
		value += strlen("unix");
	if (value[0] != ':')
		return "only a display of this machine is taken, such as :0";
	number = strspn(value + 1, digits);
	if (number == 0 || number > 5)
		return "it is no display";
	value += 1 + number;
	if (value[0] == '.' && value[1] != '\0')
		value += 1 + strspn(value + 1, digits);
	return *value == '\0' ? NULL : "it is no display";
}

static const char *wayland_flaw(const char *value)
{
	return is_path(value) || made_of(value, "._-") ? NULL : "it is no name of a display";
}

static const char *path_flaw(const char *value)
{
	return is_path(value) ? NULL : "it is no absolute path";
}

/* Every address of the list, as a bus that can't be reached is passed over for the next one. */
static const char *bus_flaw(const char *value)
{
	while (value != NULL) {
		if (strncmp(value, "unix:", strlen("unix:")) != 0)
			return "only a bus of this machine is taken, at a unix socket";
		value = strchr(value, ';');
		if (value != NULL)
			value++;
	}
	return NULL;
}

static const char *terminal_flaw(const char *value)
{
	static const char folder[] = "/dev/";

	if (strncmp(value, folder, strlen(folder)) != 0 || !is_path(value) ||
		!made_of(value, "/_-"))
		return "it is no terminal's name below /dev";
	return NULL;
}

static const char *word_flaw(const char *value)
{
	return made_of(value, "+._-") ? NULL : "it is no single word";
}

/* A path would name a file of somebody's to read messages from. */
static const char *language_flaw(const char *value)
{
	return made_of(value, "._@:-") ? NULL : "it is no name of a language";
}

/* ---- The variables ---- */

static const struct variable {
	const char *name;
	enum surroundings_part part;
	bool decides; /* by itself says something of its part */
	flaw_of *flaw;
} variables[SURROUNDINGS_VARIABLES] = {
	{"DISPLAY", SURROUNDINGS_DISPLAY, true, display_flaw},
	{"WAYLAND_DISPLAY", SURROUNDINGS_DISPLAY, true, wayland_flaw},
	{"XAUTHORITY", SURROUNDINGS_DISPLAY, false, path_flaw},
	{"XDG_SESSION_TYPE", SURROUNDINGS_DISPLAY, false, word_flaw},
	{"DBUS_SESSION_BUS_ADDRESS", SURROUNDINGS_BUS, true, bus_flaw},
	{"GPG_TTY", SURROUNDINGS_TERMINAL, true, terminal_flaw},
	{"TERM", SURROUNDINGS_TERMINAL, false, word_flaw},
	{"LANG", SURROUNDINGS_LANGUAGE, true, language_flaw},
	{"LANGUAGE", SURROUNDINGS_LANGUAGE, false, language_flaw},
	{"LC_ALL", SURROUNDINGS_LANGUAGE, true, language_flaw},
	{"LC_CTYPE", SURROUNDINGS_LANGUAGE, true, language_flaw},
	{"LC_MESSAGES", SURROUNDINGS_LANGUAGE, true, language_flaw},
};

int surroundings_variable(const char *name)
{
	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++)
		if (strcmp(variables[i].name, name) == 0)
			return i;
	return -1;
}

const char *surroundings_name(int variable)
{
	return variables[variable].name;
}

enum surroundings_part surroundings_part_of(int variable)
{
	return variables[variable].part;
}

const char *surroundings_flaw(int variable, const char *value)
{
	size_t len = strlen(value);

	if (len > SURROUNDINGS_VALUE_MAX)
		return "it is too long";
	for (size_t i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return "it holds a blank, a control character or one that is not ASCII";
	return variables[variable].flaw(value);
}

bool surroundings_has(const struct surroundings_values *values, enum surroundings_part part)
{
	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++)
		if (variables[i].part == part && variables[i].decides && values->entries[i] != NULL)
			return true;
	return false;
}

/* ---- Values ---- */

enum ks_error surroundings_set(struct surroundings_values *values, int variable, const char *value)
{
	char *entry = text_format("%s=%s", variables[variable].name, value);

	if (entry == NULL)
		return KS_NO_MEMORY;
	free(values->entries[variable]);
	values->entries[variable] = entry;
	return KS_OK;
}

void surroundings_drop(struct surroundings_values *values, int variable)
{
	free(values->entries[variable]);
	values->entries[variable] = NULL;
}

void surroundings_values_deinit(struct surroundings_values *values)
{
	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++)
		surroundings_drop(values, i);
}

static const char *entry_value(const char *entry)
{
	return strchr(entry, '=') + 1;
}

/* The variable that an entry of an environment sets, -1: none of ours. */
static int variable_of(const char *entry)
{
	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++) {
		size_t len = strlen(variables[i].name);

		if (strncmp(entry, variables[i].name, len) == 0 && entry[len] == '=')
			return i;
	}
	return -1;
}

/* ---- Whose word counts ---- */

static bool start_has(char *const *start, enum surroundings_part part)
{
	for (; *start != NULL; start++) {
		int variable = variable_of(*start);

		if (variable >= 0 && variables[variable].part == part &&
			variables[variable].decides && *entry_value(*start) != '\0')
			return true;
	}
	return false;
}

static enum surroundings_source choose(char *const *start,
	const struct surroundings_values *updated, const struct surroundings_values *managed,
	enum surroundings_part part)
{
	if (surroundings_has(updated, part))
		return SURROUNDINGS_UPDATE;
	if (start_has(start, part))
		return SURROUNDINGS_START;
	return surroundings_has(managed, part) ? SURROUNDINGS_MANAGER : SURROUNDINGS_NOBODY;
}

enum surroundings_source surroundings_source(
	const struct surroundings *surroundings, enum surroundings_part part)
{
	return choose(surroundings->start, &surroundings->updated, &surroundings->managed, part);
}

/* The array alone is fresh memory; NULL when there is none. */
static char **merge(char **start, const struct surroundings_values *updated,
	const struct surroundings_values *managed)
{
	enum surroundings_source from[SURROUNDINGS_PARTS];
	size_t count = 0;
	char **merged;

	for (unsigned part = 0; part < SURROUNDINGS_PARTS; part++)
		from[part] = choose(start, updated, managed, (enum surroundings_part)part);
	while (start[count] != NULL)
		count++;
	merged = calloc(count + SURROUNDINGS_VARIABLES + 1, sizeof(*merged));
	if (merged == NULL)
		return NULL;
	count = 0;
	for (char **entry = start; *entry != NULL; entry++) {
		int variable = variable_of(*entry);

		if (variable < 0 || from[variables[variable].part] == SURROUNDINGS_START ||
			from[variables[variable].part] == SURROUNDINGS_NOBODY)
			merged[count++] = *entry;
	}
	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++) {
		enum surroundings_source source = from[variables[i].part];

		if (source == SURROUNDINGS_UPDATE && updated->entries[i] != NULL)
			merged[count++] = updated->entries[i];
		else if (source == SURROUNDINGS_MANAGER && managed->entries[i] != NULL)
			merged[count++] = managed->entries[i];
	}
	return merged;
}

/* Takes the two over, of which one is what is there already. */
static enum ks_error take(struct surroundings *surroundings,
	const struct surroundings_values *updated, const struct surroundings_values *managed)
{
	char **merged = merge(surroundings->start, updated, managed);

	if (merged == NULL)
		return KS_NO_MEMORY;
	free(surroundings->merged);
	surroundings->merged = merged;
	surroundings->updated = *updated;
	surroundings->managed = *managed;
	return KS_OK;
}

enum ks_error surroundings_update(
	struct surroundings *surroundings, struct surroundings_values *fresh)
{
	struct surroundings_values next = surroundings->updated;
	struct surroundings_values gone = {0};

	for (int i = 0; i < SURROUNDINGS_VARIABLES; i++) {
		bool replaced = surroundings_has(fresh, variables[i].part);

		next.entries[i] = replaced ? fresh->entries[i] : surroundings->updated.entries[i];
		gone.entries[i] = replaced ? surroundings->updated.entries[i] : fresh->entries[i];
	}
	if (take(surroundings, &next, &surroundings->managed) != KS_OK)
		return KS_NO_MEMORY;
	*fresh = (struct surroundings_values){0};
	surroundings_values_deinit(&gone);
	return KS_OK;
}

enum ks_error surroundings_manage(
	struct surroundings *surroundings, struct surroundings_values *fresh)
{
	struct surroundings_values gone = surroundings->managed;

	if (take(surroundings, &surroundings->updated, fresh) != KS_OK)
		return KS_NO_MEMORY;
	*fresh = (struct surroundings_values){0};
	surroundings_values_deinit(&gone);
	return KS_OK;
}

void surroundings_deinit(struct surroundings *surroundings)
{
	surroundings_values_deinit(&surroundings->updated);
	surroundings_values_deinit(&surroundings->managed);
	free(surroundings->merged);
	surroundings->merged = NULL;
}

char **surroundings_environment(const struct surroundings *surroundings)
{
	return surroundings->merged != NULL ? surroundings->merged : surroundings->start;
}

const char *surroundings_value(const struct surroundings *surroundings, int variable)
{
	for (char **entry = surroundings_environment(surroundings); *entry != NULL; entry++)
		if (variable_of(*entry) == variable && *entry_value(*entry) != '\0')
			return entry_value(*entry);
	return NULL;
}
