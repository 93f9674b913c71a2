/*
 * The record of the session's surroundings: which values are taken, and whose word counts.
 */
#include <stdlib.h>
#include <string.h>

#include "surroundings.h"
#include "test.h"

static const struct shape {
	const char *name;
	const char *value;
	bool taken;
} shapes[] = {
	{"DISPLAY", ":0", true},
	{"DISPLAY", ":10.0", true},
	{"DISPLAY", "unix:1", true},
	{"DISPLAY", ":99999", true},
	{"DISPLAY", ":", false},
	{"DISPLAY", ":100000", false},
	{"DISPLAY", ":0.", false},
	{"DISPLAY", ":0.x", false},
	{"DISPLAY", ":0;rm", false},
	{"DISPLAY", "localhost:10.0", false},
	{"DISPLAY", "far.example:0", false},
	{"DISPLAY", "tcp/far.example:0", false},
	{"DISPLAY", "unix", false},
	{"DISPLAY", "/tmp/x:0", false},
	{"WAYLAND_DISPLAY", "wayland-0", true},
	{"WAYLAND_DISPLAY", "/run/user/1000/wayland-1", true},
	{"WAYLAND_DISPLAY", "../wayland-0", false},
	{"WAYLAND_DISPLAY", "/run/../tmp/wayland-0", false},
	{"WAYLAND_DISPLAY", "a b", false},
	{"XAUTHORITY", "/run/user/1000/.mutter-Xwaylandauth.X1", true},
	{"XAUTHORITY", ".Xauthority", false},
	{"XAUTHORITY", "/home/me/..", false},
	{"XDG_SESSION_TYPE", "x11", true},
	{"XDG_SESSION_TYPE", "/x11", false},
	{"DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus", true},
	{"DBUS_SESSION_BUS_ADDRESS", "unix:abstract=/tmp/dbus-x,guid=1;unix:path=/bus", true},
	{"DBUS_SESSION_BUS_ADDRESS", "tcp:host=far.example,port=1", false},
	{"DBUS_SESSION_BUS_ADDRESS", "unixexec:path=/bin/sh", false},
	{"DBUS_SESSION_BUS_ADDRESS", "unix:path=/bus;unixexec:path=/bin/sh", false},
	{"DBUS_SESSION_BUS_ADDRESS", "unix:path=/bus;", false},
	{"DBUS_SESSION_BUS_ADDRESS", "autolaunch:", false},
	{"GPG_TTY", "/dev/pts/3", true},
	{"GPG_TTY", "/dev/tty1", true},
	{"GPG_TTY", "/dev/../etc/passwd", false},
	{"GPG_TTY", "/tmp/tty", false},
	{"GPG_TTY", "pts/3", false},
	{"TERM", "xterm-256color", true},
	{"TERM", "../../tmp/x", false},
	{"LANG", "de_DE.UTF-8@euro", true},
	{"LANG", "/tmp/locale", false},
	{"LANGUAGE", "de:en", true},
	{"LC_ALL", "C", true},
	{"LC_CTYPE", "C.UTF-8", true},
	{"LC_MESSAGES", "%s", false},
	{"DISPLAY", ":0\n", false},
	{"XAUTHORITY", "/a\x1b[2J", false},
	{"XAUTHORITY", "/a b", false},
	{"XAUTHORITY", "/\xc3\xa4", false},
};

static void a_value_is_taken_by_its_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		int variable = surroundings_variable(shapes[i].name);

		print_message("# %s=%s\n", shapes[i].name, shapes[i].value);
		assert_true(variable >= 0);
		assert_int_equal(
			surroundings_flaw(variable, shapes[i].value) == NULL, shapes[i].taken);
	}
}

static void a_value_that_is_too_long_is_not_taken(void **state)
{
	char value[SURROUNDINGS_VALUE_MAX + 2];
	int variable = surroundings_variable("XAUTHORITY");

	(void)state;
	memset(value, 'a', sizeof(value));
	value[0] = '/';
	value[SURROUNDINGS_VALUE_MAX] = '\0';
	assert_null(surroundings_flaw(variable, value));
	value[SURROUNDINGS_VALUE_MAX] = 'a';
	value[SURROUNDINGS_VALUE_MAX + 1] = '\0';
	assert_non_null(surroundings_flaw(variable, value));
}

static void what_names_a_program_or_a_library_is_no_variable_of_ours(void **state)
{
	static const char *const names[] = {"SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "PATH",
		"LD_PRELOAD", "LD_LIBRARY_PATH", "GTK_MODULES", "GTK_IM_MODULE", "QT_PLUGIN_PATH",
		"QT_QPA_PLATFORM", "PINENTRY_USER_DATA", "HOME", "XDG_RUNTIME_DIR", "TERMINFO",
		"LOCPATH", "KEYSTILE_CONTROL", "SSH_AUTH_SOCK", "display", "DISPLAY=", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(surroundings_variable(names[i]), -1);
}

/* ---- Whose word counts ---- */

static void set(struct surroundings_values *values, const char *name, const char *value)
{
	assert_int_equal(surroundings_set(values, surroundings_variable(name), value), KS_OK);
}

static void update(struct surroundings *surroundings, const char *const pairs[][2])
{
	struct surroundings_values fresh = {0};

	for (; (*pairs)[0] != NULL; pairs++)
		set(&fresh, (*pairs)[0], (*pairs)[1]);
	assert_int_equal(surroundings_update(surroundings, &fresh), KS_OK);
	assert_false(surroundings_has(&fresh, SURROUNDINGS_DISPLAY));
	surroundings_values_deinit(&fresh);
}

static void manage(struct surroundings *surroundings, const char *name, const char *value)
{
	struct surroundings_values fresh = {0};

	if (name != NULL)
		set(&fresh, name, value);
	assert_int_equal(surroundings_manage(surroundings, &fresh), KS_OK);
	surroundings_values_deinit(&fresh);
}

static const char *value(const struct surroundings *surroundings, const char *name)
{
	const char *found = surroundings_value(surroundings, surroundings_variable(name));

	return found != NULL ? found : "";
}

static char home[] = "HOME=/home/me", preload[] = "LD_PRELOAD=/x.so",
	    start_display[] = "DISPLAY=:7", start_auth[] = "XAUTHORITY=/home/me/.Xauthority",
	    start_empty[] = "DISPLAY=", start_term[] = "TERM=linux";

static void without_news_the_environment_is_that_of_the_start(void **state)
{
	char *start[] = {home, start_display, NULL};
	struct surroundings surroundings = {.start = start};

	(void)state;
	assert_ptr_equal(surroundings_environment(&surroundings), start);
	assert_int_equal(
		surroundings_source(&surroundings, SURROUNDINGS_DISPLAY), SURROUNDINGS_START);
	assert_int_equal(surroundings_source(&surroundings, SURROUNDINGS_BUS), SURROUNDINGS_NOBODY);
	assert_string_equal(value(&surroundings, "DISPLAY"), ":7");
	surroundings_deinit(&surroundings);
}

static void an_update_wins_over_the_start_part_by_part(void **state)
{
	char *start[] = {home, start_display, start_auth, preload, start_term, NULL};
	struct surroundings surroundings = {.start = start};
	char **environment;

	(void)state;
	update(&surroundings,
		(const char *const[][2]){{"WAYLAND_DISPLAY", "wayland-0"}, {NULL, NULL}});
	/* Half of the session before would be left in DISPLAY and XAUTHORITY. */
	assert_string_equal(value(&surroundings, "WAYLAND_DISPLAY"), "wayland-0");
	assert_string_equal(value(&surroundings, "DISPLAY"), "");
	assert_string_equal(value(&surroundings, "XAUTHORITY"), "");
	assert_string_equal(value(&surroundings, "TERM"), "linux");
	environment = surroundings_environment(&surroundings);
	assert_ptr_equal(environment[0], home);
	assert_ptr_equal(environment[1], preload);
	assert_ptr_equal(environment[2], start_term);
	assert_string_equal(environment[3], "WAYLAND_DISPLAY=wayland-0");
	assert_null(environment[4]);
	surroundings_deinit(&surroundings);
}

static void an_update_that_names_no_display_leaves_the_one_that_is_known(void **state)
{
	char *start[] = {start_display, NULL};
	struct surroundings surroundings = {.start = start};

	(void)state;
	update(&surroundings, (const char *const[][2]){{"DISPLAY", ":1"},
				      {"XAUTHORITY", "/run/auth"}, {NULL, NULL}});
	update(&surroundings, (const char *const[][2]){
				      {"GPG_TTY", "/dev/pts/4"}, {"TERM", "screen"}, {NULL, NULL}});
	assert_string_equal(value(&surroundings, "DISPLAY"), ":1");
	assert_string_equal(value(&surroundings, "XAUTHORITY"), "/run/auth");
	assert_string_equal(value(&surroundings, "GPG_TTY"), "/dev/pts/4");
	update(&surroundings, (const char *const[][2]){{"XAUTHORITY", "/other"}, {NULL, NULL}});
	assert_string_equal(value(&surroundings, "XAUTHORITY"), "/run/auth");
	update(&surroundings, (const char *const[][2]){{"DISPLAY", ":2"}, {NULL, NULL}});
	assert_string_equal(value(&surroundings, "DISPLAY"), ":2");
	assert_string_equal(value(&surroundings, "XAUTHORITY"), "");
	assert_string_equal(value(&surroundings, "TERM"), "screen");
	surroundings_deinit(&surroundings);
}

static void the_manager_is_believed_where_nobody_else_says_anything(void **state)
{
	char *start[] = {start_empty, home, NULL};
	struct surroundings surroundings = {.start = start};

	(void)state;
	manage(&surroundings, "DISPLAY", ":3");
	assert_int_equal(
		surroundings_source(&surroundings, SURROUNDINGS_DISPLAY), SURROUNDINGS_MANAGER);
	assert_string_equal(value(&surroundings, "DISPLAY"), ":3");
	manage(&surroundings, NULL, NULL);
	assert_int_equal(
		surroundings_source(&surroundings, SURROUNDINGS_DISPLAY), SURROUNDINGS_NOBODY);
	manage(&surroundings, "DISPLAY", ":4");
	update(&surroundings, (const char *const[][2]){{"DISPLAY", ":5"}, {NULL, NULL}});
	manage(&surroundings, "DISPLAY", ":6");
	assert_string_equal(value(&surroundings, "DISPLAY"), ":5");
	assert_int_equal(
		surroundings_source(&surroundings, SURROUNDINGS_DISPLAY), SURROUNDINGS_UPDATE);
	surroundings_deinit(&surroundings);

	char *other[] = {start_display, NULL};

	surroundings = (struct surroundings){.start = other};
	manage(&surroundings, "DISPLAY", ":8");
	assert_string_equal(value(&surroundings, "DISPLAY"), ":7");
	surroundings_deinit(&surroundings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_taken_by_its_shape),
		cmocka_unit_test(a_value_that_is_too_long_is_not_taken),
		cmocka_unit_test(what_names_a_program_or_a_library_is_no_variable_of_ours),
		cmocka_unit_test(without_news_the_environment_is_that_of_the_start),
		cmocka_unit_test(an_update_wins_over_the_start_part_by_part),
		cmocka_unit_test(an_update_that_names_no_display_leaves_the_one_that_is_known),
		cmocka_unit_test(the_manager_is_believed_where_nobody_else_says_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
