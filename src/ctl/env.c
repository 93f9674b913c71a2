/*
 * Variables: those of the agent for a shell to evaluate, and those of this session for the agent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/buffer.h>
#include <keystile/cleanup.h>
#include <keystile/control.h>
#include <keystile/text.h>

#include "env.h"
#include "field.h"
#include "shell.h"
#include "status.h"

#define FIELD 2	 /* column where a field's name begins */
#define VALUE 15 /* column where what belongs to it begins */

/* NULL where it is not set or empty. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* ---- The command line ---- */

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static enum env_shell persons_shell(void)
{
	const char *shell = variable("SHELL");

	if (shell != NULL && ends_with(shell, "csh"))
		return ENV_CSH;
	return shell != NULL && ends_with(shell, "fish") ? ENV_FISH : ENV_SH;
}

struct env_wish env_wish_of(const struct call *call)
{
	struct env_wish wish = {.shell = persons_shell(),
		.update = call_has(call, "update"),
		.as_json = call_has(call, "json")};

	if (call_has(call, "sh"))
		wish.shell = ENV_SH;
	else if (call_has(call, "csh"))
		wish.shell = ENV_CSH;
	else if (call_has(call, "fish"))
		wish.shell = ENV_FISH;
	return wish;
}

/* ---- For a shell ---- */

static bool is_control_of(const char *path, char *folder)
{
	AUTO(text)
	owned = folder;
	AUTO(text)
	usual = owned != NULL ? text_format("%s/control.sock", owned) : NULL;

	return usual != NULL && strcmp(usual, path) == 0;
}

/* By SSH_AUTH_SOCK and the runtime folder it is found without being named. */
static bool is_found(const struct control *control)
{
	return is_control_of(control->path, control_agent_folder(control->pid)) ||
	       is_control_of(control->path, control_runtime_folder());
}

json_t *env_settings(const json_t *status, const struct control *control)
{
	const char *path = status_local_socket(status);
	json_t *settings;

	if (path[0] == '\0') {
		complain("the agent (pid %ld) does not say where its socket for ssh is",
			(long)control->pid);
		return NULL;
	}
	settings = json_pack("{s:s}", "SSH_AUTH_SOCK", path);
	if (!is_found(control))
		json_object_set_new(settings, "KEYSTILE_CONTROL", json_string(control->path));
	if (settings == NULL)
		complain("out of memory");
	return settings;
}

static void print_setting(enum env_shell shell, const char *name, const char *value)
{
	AUTO(text)
	quoted = shell_quote(shell, value);

	if (quoted == NULL)
		complain("out of memory");
	else if (shell == ENV_SH)
		printf("%s=%s; export %s;\n", name, quoted, name);
	else
		printf(shell == ENV_CSH ? "setenv %s %s;\n" : "set -gx %s %s;\n", name, quoted);
}

void env_settings_print(enum env_shell shell, const json_t *settings)
{
	static const char *const names[] = {"SSH_AUTH_SOCK", "KEYSTILE_CONTROL"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_in(settings, names[i])[0] != '\0')
			print_setting(shell, names[i], text_in(settings, names[i]));
}

/* ---- For the agent ---- */

/* One that is not set is left out; the agent judges what the others hold. */
static void add(json_t *variables, const char *name, const char *value)
{
	json_t *text = value != NULL && strlen(value) <= CONTROL_REQUEST_MAX / 32
			       ? json_string(value)
			       : NULL;

	if (text != NULL)
		json_object_set_new(variables, name, text);
	else if (value != NULL)
		complain("%s is not passed on: it is too long, or no text", name);
}

static void add_all(json_t *variables, const char *const *names)
{
	for (; *names != NULL; names++)
		add(variables, *names, variable(*names));
}

/* GPG_TTY is what people set for this; a script sets it to "not a tty". */
static const char *terminal(void)
{
	const char *named = variable("GPG_TTY");

	return named != NULL && named[0] == '/' ? named : ttyname(STDIN_FILENO);
}

json_t *env_update_request(void)
{
	static const char *const display[] = {
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE", NULL};
	static const char *const language[] = {
		"LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", NULL};
	json_t *variables = json_object();

	if (variable("DISPLAY") != NULL || variable("WAYLAND_DISPLAY") != NULL)
		add_all(variables, display);
	add(variables, "DBUS_SESSION_BUS_ADDRESS", variable("DBUS_SESSION_BUS_ADDRESS"));
	if (terminal() != NULL) {
		add(variables, "GPG_TTY", terminal());
		add(variables, "TERM", variable("TERM"));
	}
	if (variable("LANG") != NULL || variable("LC_ALL") != NULL ||
		variable("LC_CTYPE") != NULL || variable("LC_MESSAGES") != NULL)
		add_all(variables, language);
	return json_pack("{s:s,s:o}", "command", "env-update", "variables", variables);
}

static void print_change(struct page *page, const json_t *change)
{
	const json_t *now = json_object_get(change, "now");
	const char *before = text_in(change, "before");

	page_text(page, PAGE_PLAIN, FIELD, FIELD + 2, "%s: %s%s%s%s", text_in(change, "name"),
		json_is_string(now) ? json_string_value(now) : "none",
		before[0] != '\0' ? " (was " : "", before, before[0] != '\0' ? ")" : "");
}

static void print_refused(struct page *page, const json_t *refused)
{
	page_text(page, PAGE_WARNING, FIELD, FIELD + 2, "%s is not taken: %s",
		text_in(refused, "name"), text_in(refused, "reason"));
}

static bool took_a_display(const json_t *answer)
{
	const json_t *taken = json_object_get(answer, "taken");

	for (size_t i = 0; i < json_array_size(taken); i++) {
		const char *name = json_string_value(json_array_get(taken, i));

		if (name != NULL && ends_with(name, "DISPLAY"))
			return true;
	}
	return false;
}

void env_update_print(struct page *page, const json_t *answer)
{
	const json_t *changed = json_object_get(answer, "changed");
	const json_t *refused = json_object_get(answer, "refused");

	page_text(page, PAGE_STRONG, 0, 2, "%s",
		json_array_size(changed) > 0 ? "The agent knows of this session:"
					     : "Nothing is new to the agent.");
	for (size_t i = 0; i < json_array_size(changed); i++)
		print_change(page, json_array_get(changed, i));
	for (size_t i = 0; i < json_array_size(refused); i++)
		print_refused(page, json_array_get(refused, i));
	if (!took_a_display(answer))
		page_text(page, PAGE_WARNING, FIELD, FIELD + 2,
			"no display was taken from here: what the agent knew of one stays");
	env_asking_print(page, json_object_get(answer, "asking"));
}

/* ---- How the person is asked ---- */

static void print_source(struct page *page, const char *name, const json_t *source)
{
	const char *wayland = text_in(source, "wayland");
	const char *shown = text_in(source, "name");

	if (!json_is_object(source))
		return;
	if (strcmp(wayland, shown) == 0)
		wayland = "";
	page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-12s %s%s%s, from %s", name, shown,
		wayland[0] != '\0' ? " and " : "", wayland, text_in(source, "from"));
}

void env_asking_print(struct page *page, const json_t *asking)
{
	const char *obstacle = text_in(asking, "obstacle");

	if (!json_is_object(asking))
		return;
	page_heading(page, "Asking you");
	if (obstacle[0] != '\0')
		page_text(page, PAGE_BAD, FIELD, VALUE, "%-12s %s", "not possible", obstacle);
	else
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-12s %s, %s", "by",
			text_in(asking, "way"), text_in(asking, "program"));
	print_source(page, "display", json_object_get(asking, "display"));
	print_source(page, "notices", json_object_get(asking, "bus"));
	print_source(page, "terminal", json_object_get(asking, "terminal"));
	if (!json_is_object(json_object_get(asking, "display")) &&
		text_in(asking, "systemd")[0] != '\0')
		page_text(page, PAGE_PLAIN, FIELD, VALUE, "%-12s %s", "systemd",
			text_in(asking, "systemd"));
}
