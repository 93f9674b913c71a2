/*
 * The commands, but for those of keystile tpm. See command.h.
 */
#include "commands.h"
#include "doctor.h"

static const struct option_value fingerprint = {"FINGERPRINT", VALUE_ASKED, "keys"};
static const struct option_value key = {"KEY", VALUE_ASKED, "keys"};
static const struct option_value token = {"TOKEN", VALUE_ASKED, "tokens"};
static const struct option_value security_key = {"TOKEN", VALUE_FILE, NULL};
static const struct option_value origin = {"local|remote", VALUE_CHOICE, "local remote"};
static const struct option_value host = {"HOST", VALUE_HOST, NULL};
static const struct option_value subject = {
	"KIND", VALUE_CHOICE, "login sshsig certificate unrecognised"};
static const struct option_value namespace = {"NAME", VALUE_CHOICE, "git file"};
static const struct option_value executable = {"PATH", VALUE_FILE, NULL};
static const struct option_value listener = {"NAME", VALUE_ASKED, "listeners"};
static const struct option_value lines = {"LINES", VALUE_TEXT, NULL};
static const struct option_value library = {"LIBRARY", VALUE_FILE, NULL};
static const struct option_value shell = {"bash|zsh|fish", VALUE_CHOICE, "bash zsh fish"};

#define JSON                                                                                       \
	{                                                                                          \
		.name = "json", .purpose = "print it as JSON"                                      \
	}

static const struct option_row json_alone[] = {JSON, {0}};

/* ---- What the rows have ---- */

static const struct option_row status_options[] = {
	{.name = "json", .apart = OPTION_APART_SHOWN, .purpose = "print it as JSON"},
	{.name = "watch",
		.apart = OPTION_APART_SHOWN,
		.purpose = "draw it anew each second, until Ctrl-C"},
	{0},
};

static const struct option_row keys_options[] = {
	{.name = "json", .apart = OPTION_APART_SHOWN, .purpose = "print it as JSON"},
	{.name = "all",
		.apart = OPTION_APART_SHOWN,
		.purpose = "those too that are not offered, and why"},
	{0},
};

/* The shells exclude JSON as well, which help shows by itself, as it goes with --update. */
#define NOT_AS_JSON 2U

static const struct option_row env_options[] = {
	{.name = "csh",
		.letter = 'c',
		.apart = OPTION_APART_SHOWN | NOT_AS_JSON,
		.purpose = "for C shells"},
	{.name = "sh",
		.letter = 's',
		.apart = OPTION_APART_SHOWN | NOT_AS_JSON,
		.purpose = "for Bourne shells"},
	{.name = "fish", .apart = OPTION_APART_SHOWN | NOT_AS_JSON, .purpose = "for fish"},
	{.name = "update",
		.apart = OPTION_APART_SHOWN,
		.purpose = "have the agent ask in the session that this is"},
	{.name = "json", .apart = NOT_AS_JSON, .purpose = "print it as JSON"},
	{0},
};

static const struct option_row policy_test_options[] = {
	{.name = "key", .needed = true, .value = &fingerprint, .purpose = "as ssh-add -l has it"},
	{.name = "origin", .value = &origin, .purpose = "where the request comes from"},
	{.name = "to", .value = &host, .purpose = "a login to this proven destination"},
	{.name = "subject", .value = &subject, .purpose = "what is to be signed"},
	{.name = "namespace", .value = &namespace, .purpose = "an SSH signature for this"},
	{.name = "executable", .value = &executable, .purpose = "the program that asks"},
	{.name = "listener", .value = &listener, .purpose = "the socket on which it asks"},
	JSON,
	{0},
};

static const struct option_row log_options[] = {
	{.letter = 'f', .purpose = "go on with those that come"},
	{.letter = 'n', .value = &lines, .purpose = "so many of the last; 20 without it"},
	{.name = "json", .purpose = "as they stand in the file"},
	{.name = "key", .value = &key, .purpose = "with the key of this fingerprint or comment"},
	{.name = "host", .value = &host, .purpose = "with this host on the way"},
	{.name = "origin", .value = &origin, .purpose = "that came from there"},
	{.name = "refused", .purpose = "that were refused, or not answered"},
	{0},
};

static const struct option_row fido_list_options[] = {
	{.name = "pin", .purpose = "ask for PINs, to show what only they open"},
	JSON,
	{0},
};

static const struct command policy_verbs[] = {
	{.name = "show",
		.purpose = "the rules in force",
		.options = json_alone,
		.run = run_policy_show},
	{.name = "test",
		.purpose = "which rule would decide, and why",
		.options = policy_test_options,
		.run = run_policy_test},
	{0},
};

static const struct command fido_verbs[] = {
	{.name = "list",
		.purpose = "the security keys that are plugged in",
		.options = fido_list_options,
		.words = {{.value = &security_key, .may_lack = true}},
		.run = run_fido_list},
	{.name = "load",
		.purpose = "have the agent load what is resident on them",
		.options = json_alone,
		.words = {{.value = &security_key, .may_lack = true}},
		.run = run_fido_load},
	{0},
};

/* ---- All of them ---- */

const struct command commands[] = {
	{.name = "status",
		.purpose = "what the agent does, holds and refused",
		.options = status_options,
		.run = run_status},
	{.name = "keys",
		.purpose = "the keys, where they are, what they can prove",
		.options = keys_options,
		.run = run_keys},
	{.name = "why",
		.purpose = "why the last request from this terminal was refused",
		.options = json_alone,
		.run = run_why},
	{.name = "doctor",
		.purpose = "what keeps keys from working here, and what to do",
		.options = json_alone,
		.words = {{.value = &library, .may_lack = true, .many = true}},
		.run = run_doctor,
		.misused = DOCTOR_MISUSED},
	{.name = "lock",
		.purpose = "no keys until a password is given (ssh-add -x)",
		.run = run_lock},
	{.name = "unlock", .purpose = "give the password (ssh-add -X)", .run = run_unlock},
	{.name = "release",
		.purpose = "log out and let other programs have the tokens",
		.options = json_alone,
		.words = {{.value = &token, .may_lack = true}},
		.run = run_release},
	{.name = "policy", .purpose = "the rules, and which would decide", .verbs = policy_verbs},
	{.name = "reload", .purpose = "read the configuration anew", .run = run_reload},
	{.name = "env",
		.purpose = "what a shell sets to use the agent",
		.options = env_options,
		.run = run_env},
	{.name = "prompter",
		.purpose = "answer the agent's questions in this terminal",
		.run = run_prompter},
	{.name = "log",
		.purpose = "what the audit log says",
		.options = log_options,
		.run = run_log},
	{.name = "fido", .purpose = "security keys, and what is on them", .verbs = fido_verbs},
	{.name = "tpm", .purpose = "make and change keys of the TPM", .verbs = tpm_verbs},
	{.name = "completion",
		.purpose = "what makes a shell complete all this",
		.words = {{.value = &shell}},
		.run = run_completion},
	{0},
};
