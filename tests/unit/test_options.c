/*
 * The command line as a table: what each leaves to do, and which combinations are usage errors
 * (1) and which are fatal (255), as with ssh-agent.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "test.h"

#define WORDS_MAX 8
#define USAGE 1
#define FATAL 255

static const struct {
	const char *words[WORDS_MAX]; /* without the program's name */
	int result;
} results[] = {
	{{NULL}, OPTIONS_GO_ON},
	{{"-s"}, OPTIONS_GO_ON},
	{{"-s", "-s"}, OPTIONS_GO_ON},
	{{"-c", "-s"}, USAGE},
	{{"-s", "-c"}, USAGE},
	{{"-cs"}, USAGE},
	{{"-d"}, OPTIONS_GO_ON},
	{{"-D"}, OPTIONS_GO_ON},
	{{"-d", "-D"}, USAGE},
	{{"-D", "-d"}, USAGE},
	{{"-DD"}, USAGE},
	{{"-dd"}, USAGE},
	{{"-k"}, OPTIONS_GO_ON},
	{{"-c", "-k"}, OPTIONS_GO_ON},
	{{"-V"}, 0},
	{{"--version"}, 0},
	{{"-x"}, USAGE},
	{{"--unknown"}, USAGE},
	{{"-a"}, USAGE},
	{{"-a", "/tmp/socket"}, OPTIONS_GO_ON},
	{{"-E", "sha256"}, OPTIONS_GO_ON},
	{{"-E", "MD5"}, OPTIONS_GO_ON},
	{{"-E", "sha1"}, OPTIONS_GO_ON},
	{{"-E", "SHA384"}, OPTIONS_GO_ON},
	{{"-E", "sha512"}, OPTIONS_GO_ON},
	{{"-E", "ripemd160"}, FATAL},
	{{"-E", ""}, FATAL},
	{{"-O", "allow-remote-pkcs11"}, OPTIONS_GO_ON},
	{{"-O", "no-restrict-websafe"}, OPTIONS_GO_ON},
	{{"-O", "websafe-allow=ssh:*"}, OPTIONS_GO_ON},
	{{"-O", "websafe-allow="}, OPTIONS_GO_ON},
	{{"-O", "websafe-allow=a", "-O", "websafe-allow=b"}, FATAL},
	{{"-O", "websafe-allow=a", "-O", "no-restrict-websafe"}, OPTIONS_GO_ON},
	{{"-O", "allow-remote-without-presence"}, OPTIONS_GO_ON},
	{{"-O", "allow-ssh-dss"}, OPTIONS_GO_ON},
	{{"-O", "ALLOW-SSH-DSS"}, FATAL},
	{{"-O", "websafe-allow"}, FATAL},
	{{"-O", "no-restrict-websafe="}, FATAL},
	{{"-O", "allow-remote-pkcs11x"}, FATAL},
	{{"-O", ""}, FATAL},
	{{"-P", "/usr/lib/*"}, OPTIONS_GO_ON},
	{{"-P", "/usr/lib/*", "-P", "/opt/*"}, FATAL},
	{{"-t", "10m"}, OPTIONS_GO_ON},
	{{"-t", "0"}, OPTIONS_GO_ON},
	{{"-t", " +10"}, OPTIONS_GO_ON},
	{{"-t", "-1"}, USAGE},
	{{"-t", "soon"}, USAGE},
	{{"-t", ""}, USAGE},
	/* A command goes with none of those that say how the agent itself is run. */
	{{"sleep", "1"}, OPTIONS_GO_ON},
	{{"-a", "/tmp/socket", "-t", "5", "sleep"}, OPTIONS_GO_ON},
	{{"-T", "-U", "sleep"}, OPTIONS_GO_ON},
	{{"-c", "sleep"}, USAGE},
	{{"-s", "sleep"}, USAGE},
	{{"-k", "sleep"}, USAGE},
	{{"-d", "sleep"}, USAGE},
	{{"-D", "sleep"}, USAGE},
	{{"-u", "sleep"}, USAGE},
	/* The command's own options are its own. */
	{{"sleep", "-x", "-D", "-D"}, OPTIONS_GO_ON},
	{{"--", "-D"}, OPTIONS_GO_ON},
	/* The first mistake ends it. */
	{{"-E", "crc32", "-x"}, FATAL},
	{{"-x", "-E", "crc32"}, USAGE},
};

/* Usage and version are not what is looked at here: both channels, there and back. */
static int turn_aside(int fd, int to)
{
	int kept = dup(fd);

	assert_true(kept >= 0 && dup2(to, fd) == fd);
	return kept;
}

static void turn_back(int fd, int kept)
{
	assert_int_equal(dup2(kept, fd), fd);
	close(kept);
}

/* The words must outlive what options hold; the name goes in front. */
static int parse(const char *const words[WORDS_MAX], struct options *out)
{
	static char *argv[WORDS_MAX + 2];
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int output, errors, result, argc = 1;

	argv[0] = (char *)(uintptr_t) "keystile-agent";
	for (; argc <= WORDS_MAX && words[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	argv[argc] = NULL;
	optind = 0; /* starts getopt() anew */
	fflush(stdout);
	output = turn_aside(STDOUT_FILENO, nowhere);
	errors = turn_aside(STDERR_FILENO, nowhere);
	result = options_parse(argc, argv, out);
	fflush(stdout);
	turn_back(STDOUT_FILENO, output);
	turn_back(STDERR_FILENO, errors);
	close(nowhere);
	return result;
}

static int without_a_shell(void **state)
{
	(void)state;
	return unsetenv("SHELL");
}

static void every_command_line_ends_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct options options;
		int result = parse(results[i].words, &options);

		if (result != results[i].result)
			fail_msg("row %zu (%s ...): %d", i, results[i].words[0], result);
	}
}

static void what_is_given_is_handed_on(void **state)
{
	static const char *const words[WORDS_MAX] = {"-TUa", "/tmp/socket", "-t1m30s", "-P",
		"/opt/*", "--config=/etc/mine", "-Oallow-remote-pkcs11", NULL};
	struct options options;

	(void)state;
	assert_int_equal(parse(words, &options), OPTIONS_GO_ON);
	assert_true(options.in_tmp && options.keep_stale && options.allow_remote_pkcs11);
	assert_string_equal(options.address, "/tmp/socket");
	assert_string_equal(options.allowed_providers, "/opt/*");
	assert_string_equal(options.config, "/etc/mine");
	assert_int_equal(options.lifetime_s, 90);
	assert_null(options.command);
	assert_false(options.csh || options.kill || options.foreground || options.debug);
	assert_int_equal(options.clean, 0);
}

static void what_web_keys_may_sign_is_as_the_options_say(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *allow;
	} rows[] = {
		{{NULL}, "ssh:*"},
		{{"-O", "websafe-allow=https://a,ssh:*"}, "https://a,ssh:*"},
		{{"-O", "websafe-allow="}, ""},
		{{"-O", "no-restrict-websafe"}, NULL},
		{{"-O", "no-restrict-websafe", "-O", "websafe-allow=a"}, NULL},
		{{"-O", "websafe-allow=a", "-O", "no-restrict-websafe"}, NULL},
		{{"-O", "no-restrict-websafe", "true"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options;

		assert_int_equal(parse(rows[i].words, &options), OPTIONS_GO_ON);
		if (rows[i].allow == NULL)
			assert_null(options.websafe_allow);
		else
			assert_string_equal(options.websafe_allow, rows[i].allow);
	}
}

static void each_permission_is_its_own(void **state)
{
	static const char *const presence[WORDS_MAX] = {"-Oallow-remote-without-presence", NULL};
	static const char *const dss[WORDS_MAX] = {"-Oallow-ssh-dss", NULL};
	struct options options;

	(void)state;
	assert_int_equal(parse(presence, &options), OPTIONS_GO_ON);
	assert_true(options.allow_remote_without_presence);
	assert_false(options.allow_ssh_dss || options.allow_remote_pkcs11);
	assert_int_equal(parse(dss, &options), OPTIONS_GO_ON);
	assert_true(options.allow_ssh_dss);
	assert_false(options.allow_remote_without_presence || options.allow_remote_pkcs11);
}

static void nothing_given_is_nothing_set(void **state)
{
	static const char *const none[WORDS_MAX] = {NULL};
	struct options options;

	(void)state;
	memset(&options, 0xff, sizeof(options));
	assert_int_equal(parse(none, &options), OPTIONS_GO_ON);
	assert_null(options.address);
	assert_null(options.allowed_providers);
	assert_null(options.config);
	assert_null(options.command);
	assert_int_equal(options.lifetime_s, 0);
	assert_false(options.csh || options.kill || options.foreground || options.debug ||
		     options.in_tmp || options.keep_stale || options.allow_remote_pkcs11 ||
		     options.allow_remote_without_presence || options.allow_ssh_dss);
}

static void a_command_is_handed_on_with_its_own_options(void **state)
{
	static const char *const words[WORDS_MAX] = {"-t", "5", "env", "-i", "-k", NULL};
	struct options options;

	(void)state;
	assert_int_equal(parse(words, &options), OPTIONS_GO_ON);
	assert_string_equal(options.command[0], "env");
	assert_string_equal(options.command[1], "-i");
	assert_string_equal(options.command[2], "-k");
	assert_null(options.command[3]);
	assert_false(options.kill);
}

static void the_shell_decides_the_output_unless_it_is_given(void **state)
{
	static const struct {
		const char *shell;
		const char *words[WORDS_MAX];
		bool csh;
	} rows[] = {
		{"/bin/csh", {NULL}, true},
		{"/usr/bin/tcsh", {NULL}, true},
		{"/bin/csh", {"-s"}, false},
		{"/bin/bash", {NULL}, false},
		{"/bin/bash", {"-c"}, true},
		{"sh", {NULL}, false},
		{"", {NULL}, false},
		{"/bin/csh-like", {NULL}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options;

		setenv("SHELL", rows[i].shell, 1);
		assert_int_equal(parse(rows[i].words, &options), OPTIONS_GO_ON);
		assert_int_equal(options.csh, rows[i].csh);
	}
	unsetenv("SHELL");
}

static void the_debug_option_is_the_small_one(void **state)
{
	static const char *const debug[WORDS_MAX] = {"-d", NULL};
	static const char *const foreground[WORDS_MAX] = {"-D", NULL};
	static const char *const clean[WORDS_MAX] = {"-uu", NULL};
	struct options options;

	(void)state;
	assert_int_equal(parse(debug, &options), OPTIONS_GO_ON);
	assert_true(options.debug && options.foreground);
	assert_int_equal(parse(foreground, &options), OPTIONS_GO_ON);
	assert_true(!options.debug && options.foreground);
	assert_int_equal(parse(clean, &options), OPTIONS_GO_ON);
	assert_int_equal(options.clean, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_line_ends_as_the_table_says),
		cmocka_unit_test(what_is_given_is_handed_on),
		cmocka_unit_test(what_web_keys_may_sign_is_as_the_options_say),
		cmocka_unit_test(each_permission_is_its_own),
		cmocka_unit_test(nothing_given_is_nothing_set),
		cmocka_unit_test(a_command_is_handed_on_with_its_own_options),
		cmocka_unit_test(the_shell_decides_the_output_unless_it_is_given),
		cmocka_unit_test(the_debug_option_is_the_small_one),
	};

	return cmocka_run_group_tests(tests, without_a_shell, NULL);
}
