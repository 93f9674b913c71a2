/*
 * Parsing of the command line: which combinations are a usage error (1) and which are fatal
 * (255) is as ssh-agent has it.
 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <keystile/option_row.h>
#include <keystile/text.h>
#include <keystile/version.h>

#include "websafe.h"

#define EXIT_FATAL 255

static void print_usage(FILE *out)
{
	fputs("usage: keystile-agent [-c | -s] [-DdTU] [-a bind_address] [-E fingerprint_hash]\n"
	      "                      [-O option] [-P allowed_providers] [-t life] [--config file]\n"
	      "       keystile-agent [-TU] [-a bind_address] [-E fingerprint_hash] [-O option]\n"
	      "                      [-P allowed_providers] [-t life] [--config file]\n"
	      "                      command [arg ...]\n"
	      "       keystile-agent [-c | -s] -k\n"
	      "       keystile-agent -u\n"
	      "       keystile-agent -V\n",
		out);
}

static int usage(void)
{
	print_usage(stderr);
	return 1;
}

static int help(void)
{
	print_usage(stdout);
	option_rows_print(agent_option_rows, stdout);
	return fflush(stdout) == 0 ? 0 : EXIT_FATAL;
}

static int fatal(const char *what, const char *value)
{
	fprintf(stderr, "keystile-agent: %s \"%s\"\n", what, value);
	return EXIT_FATAL;
}

/* How often each was given of what may be given once, or whose combinations matter. */
struct flags {
	unsigned csh;
	unsigned sh;
	unsigned foreground; /* -d and -D */
	unsigned websafe_allow;
	bool websafe_unrestricted;
};

static int parse_option(const char *value, struct options *out, struct flags *flags)
{
	static const char websafe[] = "websafe-allow=";

	if (strcmp(value, "allow-remote-pkcs11") == 0)
		out->allow_remote_pkcs11 = true;
	else if (strcmp(value, "allow-remote-without-presence") == 0)
		out->allow_remote_without_presence = true;
	else if (strcmp(value, "allow-rsa-sha1") == 0)
		out->allow_rsa_sha1 = true;
	else if (strcmp(value, "allow-ssh-dss") == 0)
		out->allow_ssh_dss = true;
	else if (strcmp(value, "no-restrict-websafe") == 0)
		flags->websafe_unrestricted = true;
	else if (strncmp(value, websafe, strlen(websafe)) != 0)
		return fatal("Unknown -O option", value);
	else if (++flags->websafe_allow > 1)
		return fatal("websafe-allow already set", value);
	else
		out->websafe_allow = value + strlen(websafe);
	return OPTIONS_GO_ON;
}

static bool is_hash(const char *value)
{
	static const char *const names[] = {"md5", "sha1", "sha256", "sha384", "sha512"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(value, names[i]) == 0)
			return true;
	return false;
}

static int parse_value(int option, const char *value, struct options *out, struct flags *flags)
{
	switch (option) {
	case 'a':
		out->address = value;
		return OPTIONS_GO_ON;
	case 'E':
		return is_hash(value) ? OPTIONS_GO_ON : fatal("Invalid hash algorithm", value);
	case 'O':
		return parse_option(value, out, flags);
	case 'P':
		if (out->allowed_providers != NULL) {
			fputs("keystile-agent: -P option already specified\n", stderr);
			return EXIT_FATAL;
		}
		out->allowed_providers = value;
		return OPTIONS_GO_ON;
	case 't':
		out->lifetime_s = text_seconds(value);
		if (out->lifetime_s >= 0)
			return OPTIONS_GO_ON;
		fprintf(stderr, "keystile-agent: Invalid lifetime\n");
		return usage();
	default:
		return usage();
	}
}

static bool parse_flag(int option, struct options *out, struct flags *flags)
{
	switch (option) {
	case 'c':
		flags->csh++;
		return flags->sh == 0;
	case 's':
		flags->sh++;
		return flags->csh == 0;
	case 'd':
	case 'D':
		out->foreground = true;
		out->debug = option == 'd';
		return ++flags->foreground == 1;
	case 'k':
		out->kill = true;
		return true;
	case 'T':
		out->in_tmp = true;
		return true;
	case 'U':
		out->keep_stale = true;
		return true;
	case 'u':
		out->clean++;
		return true;
	default:
		return false;
	}
}

static bool shell_is_csh(void)
{
	const char *shell = getenv("SHELL");
	size_t len = shell == NULL ? 0 : strlen(shell);

	return len >= 3 && strcmp(shell + len - 3, "csh") == 0;
}

/* Options and command together. */
static int finish(int argc, char **argv, const struct flags *flags, struct options *out)
{
	/* Whichever came first: none is weaker than any list. */
	if (flags->websafe_unrestricted)
		out->websafe_allow = NULL;

	bool flagged =
		flags->csh + flags->sh + flags->foreground > 0 || out->kill || out->clean > 0;

	if (optind < argc) {
		out->command = argv + optind;
		return flagged ? usage() : OPTIONS_GO_ON;
	}
	out->csh = flags->csh > 0 || (flags->sh == 0 && shell_is_csh());
	return OPTIONS_GO_ON;
}

/* What is done at once, or is one of the two kinds of options. */
static int parse_one(int option, struct options *out, struct flags *flags)
{
	int place = option_row_place(agent_option_rows, option);
	const char *name = place >= 0 ? agent_option_rows[place].name : NULL;

	if (option == 'V') {
		puts("keystile-agent " KEYSTILE_VERSION);
		return 0;
	}
	if (name != NULL && strcmp(name, "help") == 0)
		return help();
	if (name != NULL && strcmp(name, "config") == 0) {
		out->config = optarg;
		return OPTIONS_GO_ON;
	}
	if (place >= 0 && agent_option_rows[place].value != NULL)
		return parse_value(option, optarg, out, flags);
	return parse_flag(option, out, flags) ? OPTIONS_GO_ON : usage();
}

int options_parse(int argc, char **argv, struct options *out)
{
	struct option_tables tables;
	struct flags flags = {0};
	int result = OPTIONS_GO_ON;
	int option;

	*out = (struct options){.websafe_allow = WEBSAFE_DEFAULT_ALLOW};
	option_rows_describe(agent_option_rows, "+", &tables);
	while (result == OPTIONS_GO_ON &&
		(option = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1)
		result = parse_one(option, out, &flags);
	return result == OPTIONS_GO_ON ? finish(argc, argv, &flags, out) : result;
}
