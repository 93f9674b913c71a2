/*
 * The choice between askpass, pinentry, a terminal and a desktop notification. ssh-agent's
 * variables mean what they mean to it.
 */
#include "prompt_way.h"

#include <string.h>

#define DEFAULT_ASKPASS "/usr/bin/ssh-askpass"
#define DEFAULT_PINENTRY "/usr/bin/pinentry"
#define LOCAL_BUS "unix:"
#define NO_DISPLAY                                                                                 \
	"nobody can be asked: no display is known; run `keystile env --update` in your desktop "   \
	"session, or `keystile prompter` in a terminal"

/* NULL where it is not set or empty. */
static const char *variable(const struct prompt_way_facts *facts, const char *name)
{
	size_t len = strlen(name);

	for (char *const *entry = facts->environment; *entry != NULL; entry++)
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=' &&
			(*entry)[len + 1] != '\0')
			return *entry + len + 1;
	return NULL;
}

static bool has_display(const struct prompt_way_facts *facts)
{
	return variable(facts, "DISPLAY") != NULL || variable(facts, "WAYLAND_DISPLAY") != NULL;
}

/* Whether SSH_ASKPASS_REQUIRE is set to this word. */
static bool requires(const struct prompt_way_facts *facts, const char *word)
{
	const char *value = variable(facts, "SSH_ASKPASS_REQUIRE");

	return value != NULL && strcmp(value, word) == 0;
}

const char *prompt_way_name(enum prompt_way way)
{
	static const char *const names[] = {
		[PROMPT_BY_ASKPASS] = "askpass",
		[PROMPT_BY_PINENTRY] = "pinentry",
		[PROMPT_BY_PROMPTER] = "prompter",
		[PROMPT_BY_ASKER] = "terminal",
	};

	return names[way];
}

const char *prompt_way_pinentry(const struct config *config)
{
	return config->pinentry != NULL ? config->pinentry : DEFAULT_PINENTRY;
}

static struct prompt_way_choice by_askpass(const struct prompt_way_facts *facts)
{
	const char *program = facts->config->askpass;
	struct prompt_way_choice choice = {.way = PROMPT_BY_ASKPASS, .terminal = ""};

	if (program == NULL)
		program = variable(facts, "SSH_ASKPASS");
	choice.program = program != NULL ? program : DEFAULT_ASKPASS;
	choice.wants_display = !requires(facts, "never");
	if (requires(facts, "never"))
		choice.obstacle = "SSH_ASKPASS_REQUIRE is set to never";
	else if (!requires(facts, "force") && !has_display(facts))
		choice.obstacle = NO_DISPLAY;
	return choice;
}

static struct prompt_way_choice by_pinentry(
	const struct prompt_way_facts *facts, enum prompt_kind kind)
{
	const char *terminal = facts->config->pinentry_terminal;
	struct prompt_way_choice choice = {.way = PROMPT_BY_PINENTRY,
		.program = prompt_way_pinentry(facts->config),
		.terminal = terminal != NULL ? terminal : "",
		.wants_display = terminal == NULL};

	/* It would read there what is typed into the question that is shown beside it. */
	if (kind == PROMPT_NOTICE && terminal != NULL)
		choice.obstacle = "pinentry-terminal is for questions: notices need a desktop";
	else if (terminal == NULL && !has_display(facts))
		choice.obstacle = NO_DISPLAY ", or configure pinentry-terminal";
	return choice;
}

static bool prefers_pinentry(const struct prompt_way_facts *facts)
{
	const struct config *config = facts->config;

	if (config->prompts != CONFIG_PROMPTS_AUTO)
		return config->prompts == CONFIG_PROMPTS_PINENTRY;
	return config->askpass == NULL && variable(facts, "SSH_ASKPASS") == NULL &&
	       variable(facts, "SSH_ASKPASS_REQUIRE") == NULL && facts->pinentry_installed &&
	       (config->pinentry_terminal != NULL || has_display(facts));
}

/* A terminal that is there for questions before one that is there for something else. */
static struct prompt_way_choice in_terminal(const struct prompt_way_facts *facts)
{
	struct prompt_way_choice choice = {
		.way = PROMPT_BY_PROMPTER, .program = "", .terminal = ""};

	if (!facts->prompter && facts->asker)
		choice.way = PROMPT_BY_ASKER;
	else if (!facts->prompter)
		choice.obstacle =
			"nobody can be asked but who asks for a signature in a terminal of "
			"this machine: run `keystile prompter` in a terminal";
	return choice;
}

static struct prompt_way_choice by_themselves(
	const struct prompt_way_facts *facts, enum prompt_kind kind)
{
	struct prompt_way_choice choice =
		prefers_pinentry(facts) ? by_pinentry(facts, kind) : by_askpass(facts);
	bool display = choice.wants_display;

	if (choice.obstacle == NULL || facts->config->prompts != CONFIG_PROMPTS_AUTO ||
		(!facts->prompter && !facts->asker))
		return choice;
	choice = in_terminal(facts);
	choice.wants_display = display;
	return choice;
}

struct prompt_way_choice prompt_way_choose(
	const struct prompt_way_facts *facts, enum prompt_kind kind)
{
	const char *bus = variable(facts, "DBUS_SESSION_BUS_ADDRESS");
	struct prompt_way_choice choice = facts->config->prompts == CONFIG_PROMPTS_TERMINAL
						  ? in_terminal(facts)
						  : by_themselves(facts, kind);

	choice.notify = kind == PROMPT_NOTICE && bus != NULL &&
			strncmp(bus, LOCAL_BUS, strlen(LOCAL_BUS)) == 0;
	if (choice.notify && choice.obstacle != NULL) {
		choice.obstacle = NULL;
		choice.way = PROMPT_BY_ASKPASS;
		choice.program = "";
	}
	return choice;
}
