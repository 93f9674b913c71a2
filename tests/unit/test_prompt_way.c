/*
 * By what the person is asked: a table over the configuration and the environment.
 */
#include <stdio.h>
#include <string.h>

#include "prompt_way.h"
#include "test.h"

#define DISPLAY "DISPLAY=:0"
#define WAYLAND "WAYLAND_DISPLAY=wayland-0"
#define ASKPASS "SSH_ASKPASS=/bin/ask"
#define NEVER "SSH_ASKPASS_REQUIRE=never"
#define FORCE "SSH_ASKPASS_REQUIRE=force"
#define PREFER "SSH_ASKPASS_REQUIRE=prefer"
#define BUS "DBUS_SESSION_BUS_ADDRESS=unix:path=/bus"
#define FAR_BUS "DBUS_SESSION_BUS_ADDRESS=tcp:host=far"

#define AUTOMATIC CONFIG_PROMPTS_AUTO
#define BY_ASKPASS CONFIG_PROMPTS_ASKPASS
#define BY_PINENTRY CONFIG_PROMPTS_PINENTRY

#define STANDARD "/usr/bin/ssh-askpass"
#define PINENTRY "/usr/bin/pinentry"

static const struct row {
	const char *environment[3];
	struct {
		enum config_prompts prompts;
		const char *askpass, *pinentry, *terminal;
		bool missing; /* no pinentry is installed */
	} config;
	enum prompt_kind kind;
	const char *program; /* NULL: nobody can be asked */
	bool notify;
} table[] = {
	/* by itself: as ssh-agent where its variables are set */
	{{DISPLAY, ASKPASS}, {0}, PROMPT_PIN, "/bin/ask", false},
	{{DISPLAY, ASKPASS}, {0}, PROMPT_CONFIRM, "/bin/ask", false},
	{{WAYLAND, ASKPASS, PREFER}, {0}, PROMPT_PIN, "/bin/ask", false},
	{{ASKPASS}, {0}, PROMPT_PIN, NULL, false},
	{{ASKPASS, FORCE}, {0}, PROMPT_PIN, "/bin/ask", false},
	{{ASKPASS, NEVER, DISPLAY}, {0}, PROMPT_PIN, NULL, false},
	{{FORCE}, {0}, PROMPT_PIN, STANDARD, false},
	{{FORCE, DISPLAY}, {0}, PROMPT_PIN, STANDARD, false},
	{{NEVER, DISPLAY}, {0}, PROMPT_PIN, NULL, false},
	{{DISPLAY}, {.askpass = "/mine"}, PROMPT_PIN, "/mine", false},
	{{DISPLAY, ASKPASS}, {.askpass = "/mine"}, PROMPT_PIN, "/mine", false},
	/* else pinentry where there is one, and a place for it */
	{{DISPLAY}, {0}, PROMPT_PIN, PINENTRY, false},
	{{WAYLAND}, {0}, PROMPT_CONFIRM, PINENTRY, false},
	{{DISPLAY, "SSH_ASKPASS="}, {0}, PROMPT_PIN, PINENTRY, false},
	{{DISPLAY}, {.pinentry = "/p"}, PROMPT_PIN, "/p", false},
	{{DISPLAY}, {.missing = true}, PROMPT_PIN, STANDARD, false},
	{{NULL}, {0}, PROMPT_PIN, NULL, false},
	{{"DISPLAY="}, {0}, PROMPT_PIN, NULL, false},
	{{"GPG_TTY=/dev/pts/1"}, {0}, PROMPT_PIN, NULL, false},
	{{NULL}, {.terminal = "/dev/tty8"}, PROMPT_PIN, PINENTRY, false},
	/* askpass only */
	{{DISPLAY}, {.prompts = BY_ASKPASS}, PROMPT_PIN, STANDARD, false},
	{{NULL}, {.prompts = BY_ASKPASS, .terminal = "/dev/tty8"}, PROMPT_PIN, NULL, false},
	/* pinentry only: askpass's variables say nothing of it */
	{{DISPLAY, ASKPASS, NEVER}, {.prompts = BY_PINENTRY}, PROMPT_PIN, PINENTRY, false},
	{{ASKPASS, FORCE}, {.prompts = BY_PINENTRY}, PROMPT_PIN, NULL, false},
	{{DISPLAY}, {.prompts = BY_PINENTRY, .missing = true}, PROMPT_PIN, PINENTRY, false},
	{{NULL}, {.prompts = BY_PINENTRY, .terminal = "/dev/tty8"}, PROMPT_PIN, PINENTRY, false},
	/* notices: the desktop first */
	{{DISPLAY, ASKPASS, BUS}, {0}, PROMPT_NOTICE, "/bin/ask", true},
	{{DISPLAY, ASKPASS, BUS}, {0}, PROMPT_PIN, "/bin/ask", false},
	{{DISPLAY, ASKPASS}, {0}, PROMPT_NOTICE, "/bin/ask", false},
	{{DISPLAY, ASKPASS, FAR_BUS}, {0}, PROMPT_NOTICE, "/bin/ask", false},
	{{DISPLAY, BUS}, {0}, PROMPT_NOTICE, PINENTRY, true},
	{{BUS}, {0}, PROMPT_NOTICE, "", true},
	{{BUS}, {0}, PROMPT_PIN, NULL, false},
	{{FAR_BUS}, {0}, PROMPT_NOTICE, NULL, false},
	{{NULL}, {.terminal = "/dev/tty8"}, PROMPT_NOTICE, NULL, false},
	{{BUS}, {.terminal = "/dev/tty8"}, PROMPT_NOTICE, "", true},
};

static struct prompt_way_choice choose(const struct row *row)
{
	char texts[3][64], names[3][256];
	char *environment[4] = {NULL};
	struct config config = {.prompts = row->config.prompts};
	static char program[64], terminal[64];
	const char *given[] = {row->config.askpass, row->config.pinentry, row->config.terminal};
	char **wanted[] = {&config.askpass, &config.pinentry, &config.pinentry_terminal};
	struct prompt_way_choice choice;

	for (size_t i = 0; i < 3; i++) {
		if (row->environment[i] != NULL) {
			snprintf(names[i], sizeof(names[i]), "%s", row->environment[i]);
			environment[i] = names[i];
		}
		if (given[i] != NULL) {
			snprintf(texts[i], sizeof(texts[i]), "%s", given[i]);
			*wanted[i] = texts[i];
		}
	}
	choice = prompt_way_choose(&(struct prompt_way_facts){.config = &config,
					   .environment = environment,
					   .pinentry_installed = !row->config.missing},
		row->kind);
	snprintf(program, sizeof(program), "%s", choice.program);
	snprintf(terminal, sizeof(terminal), "%s", choice.terminal);
	choice.program = program;
	choice.terminal = terminal;
	return choice;
}

static void the_way_follows_from_configuration_and_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct prompt_way_choice choice = choose(&table[i]);
		bool pinentry =
			strcmp(choice.program, PINENTRY) == 0 || strcmp(choice.program, "/p") == 0;

		print_message("# %zu: %s\n", i, choice.obstacle != NULL ? choice.obstacle : "");
		assert_int_equal(choice.obstacle == NULL, table[i].program != NULL);
		assert_int_equal(choice.notify, table[i].notify);
		if (table[i].program == NULL)
			continue;
		assert_string_equal(choice.program, table[i].program);
		if (*choice.program != '\0')
			assert_int_equal(
				choice.way, pinentry ? PROMPT_BY_PINENTRY : PROMPT_BY_ASKPASS);
	}
}

static void a_terminal_goes_to_pinentry_alone(void **state)
{
	const struct row with = {{DISPLAY}, {.terminal = "/dev/tty8"}, PROMPT_PIN, PINENTRY, false};
	const struct row without = {
		{DISPLAY, ASKPASS}, {.terminal = "/dev/tty8"}, PROMPT_PIN, "/bin/ask", false};

	(void)state;
	assert_string_equal(choose(&with).terminal, "/dev/tty8");
	assert_string_equal(choose(&without).terminal, "");
}

static void a_terminal_serves_where_nothing_else_does(void **state)
{
	static const struct {
		enum config_prompts prompts;
		bool display, prompter, asker;
		enum prompt_way way; /* 0: nobody can be asked */
	} cases[] = {
		{AUTOMATIC, false, true, true, PROMPT_BY_PROMPTER},
		{AUTOMATIC, false, false, true, PROMPT_BY_ASKER},
		{AUTOMATIC, false, false, false, 0},
		{AUTOMATIC, true, true, true, PROMPT_BY_PINENTRY},
		{BY_ASKPASS, false, true, true, 0},
		{BY_PINENTRY, false, true, true, 0},
		{CONFIG_PROMPTS_TERMINAL, true, true, true, PROMPT_BY_PROMPTER},
		{CONFIG_PROMPTS_TERMINAL, true, false, true, PROMPT_BY_ASKER},
		{CONFIG_PROMPTS_TERMINAL, true, false, false, 0},
	};
	char display[] = DISPLAY;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config config = {.prompts = cases[i].prompts};
		char *environment[] = {cases[i].display ? display : NULL, NULL};
		struct prompt_way_choice choice =
			prompt_way_choose(&(struct prompt_way_facts){.config = &config,
						  .environment = environment,
						  .pinentry_installed = true,
						  .prompter = cases[i].prompter,
						  .asker = cases[i].asker},
				PROMPT_PIN);

		print_message("# %zu\n", i);
		assert_int_equal(choice.obstacle == NULL, cases[i].way != 0);
		if (choice.obstacle == NULL)
			assert_int_equal(choice.way, cases[i].way);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_follows_from_configuration_and_environment),
		cmocka_unit_test(a_terminal_goes_to_pinentry_alone),
		cmocka_unit_test(a_terminal_serves_where_nothing_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
