/*
 * The options of a fake provider: one table, and a parser that knows nothing of what they mean.
 */
#include "options.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "fake:"

static const char *const kinds[] = {"ed25519", "p256", "p384", "p521", "rsa", "mixed", NULL};
static const char *const touches[] = {"none", "given", "wait", NULL};
static const char *const pins[] = {"none", "once", "always", NULL};
static const char *const last_tries[] = {"kept", "spent", NULL};
static const char *const labels[] = {"plain", "control", "long", NULL};
static const char *const afters[] = {"stay", "gone", "blink", "return", NULL};
static const char *const signatures[] = {"good", "garbage", "oversized", NULL};
static const char *const presences[] = {"honest", "lie", "claim", "pad", NULL};
static const char *const misdeeds[] = {"well", "fail", "slow", "stuck", "hang", "crash", "exit",
	"nonsense", "chatty", "error", NULL};

#define FIELD(name) offsetof(struct fake_options, name)

static const struct option {
	const char *name;
	size_t field;		  /* an unsigned in struct fake_options */
	const char *const *words; /* NULL: a number */
	unsigned most;
} table[] = {
	{"tokens", FIELD(tokens), NULL, 16},
	{"keys", FIELD(keys), NULL, 5000},
	{"tries", FIELD(tries), NULL, 15},
	{"kind", FIELD(kind), kinds, 0},
	{"touch", FIELD(touch), touches, 0},
	{"pin", FIELD(pin), pins, 0},
	{"last-try", FIELD(last_try), last_tries, 0},
	{"labels", FIELD(labels), labels, 0},
	{"after", FIELD(after), afters, 0},
	{"signature", FIELD(signature), signatures, 0},
	{"presence", FIELD(presence), presences, 0},
	{"locate", FIELD(locate), misdeeds, 0},
	{"open", FIELD(open), misdeeds, 0},
	{"list", FIELD(list), misdeeds, 0},
	{"login", FIELD(login), misdeeds, 0},
	{"sign", FIELD(sign), misdeeds, 0},
	{"release", FIELD(release), misdeeds, 0},
	{"close", FIELD(close), misdeeds, 0},
};

#define OPTION_COUNT (sizeof(table) / sizeof(table[0]))

static bool parse_number(const char *value, unsigned most, unsigned *out)
{
	char *end = NULL;
	unsigned long number = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end != '\0' || number > most)
		return false;
	*out = (unsigned)number;
	return true;
}

static bool parse_word(const char *value, const char *const *words, unsigned *out)
{
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(value, words[i]) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* Copies text without a length of its own; false where it does not fit or is empty. */
static bool copy_name(char *out, size_t max, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > max || out[0] != '\0')
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static bool parse_option(char *text, struct fake_options *options, bool *seen)
{
	char *value = strchr(text, '=');

	if (value == NULL)
		return false;
	*value++ = '\0';
	if (strcmp(text, "claim") == 0)
		return copy_name(options->claim, FAKE_CLAIM_MAX, value);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		unsigned *field = (unsigned *)(void *)((uint8_t *)options + table[i].field);
		if (strcmp(text, table[i].name) != 0 || seen[i])
			continue;
		seen[i] = true;
		return table[i].words != NULL ? parse_word(value, table[i].words, field)
					      : parse_number(value, table[i].most, field);
	}
	return false;
}

enum ks_error fake_options_parse(
	const char *provider, struct fake_options *options, char *wrong, size_t size)
{
	char text[4096];
	char *rest = text;
	bool seen[OPTION_COUNT] = {false};

	*options = (struct fake_options){.tokens = 1, .keys = 1, .tries = 3};
	snprintf(wrong, size, "it is not \"" SCHEME "NAME,option=value,...\"");
	if (strncmp(provider, SCHEME, strlen(SCHEME)) != 0 || strlen(provider) >= sizeof(text))
		return KS_BAD_INPUT;
	strcpy(text, provider + strlen(SCHEME));
	if (!copy_name(options->name, FAKE_NAME_MAX, strsep(&rest, ",")))
		return KS_BAD_INPUT;
	for (char *option = strsep(&rest, ","); option != NULL; option = strsep(&rest, ",")) {
		if (!parse_option(option, options, seen)) {
			snprintf(wrong, size, "the fake backend has no option \"%s\" of that value",
				option);
			return KS_BAD_INPUT;
		}
	}
	return KS_OK;
}
