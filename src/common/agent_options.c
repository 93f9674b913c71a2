/*
 * The options of keystile-agent, which are ssh-agent's and a few of its own.
 */
#include <keystile/option_row.h>

static const struct option_value address = {"BIND_ADDRESS", VALUE_FILE, NULL};
static const struct option_value hash = {
	"FINGERPRINT_HASH", VALUE_CHOICE, "md5 sha1 sha256 sha384 sha512"};
static const struct option_value option = {"OPTION", VALUE_CHOICE,
	"allow-remote-pkcs11 allow-remote-without-presence allow-rsa-sha1 allow-ssh-dss "
	"no-restrict-websafe websafe-allow="};
static const struct option_value providers = {"ALLOWED_PROVIDERS", VALUE_FILE, NULL};
static const struct option_value life = {"LIFE", VALUE_TEXT, NULL};
static const struct option_value file = {"FILE", VALUE_FILE, NULL};

const struct option_row agent_option_rows[] = {
	{.letter = 'a', .value = &address, .purpose = "the path of the socket"},
	{.letter = 'c', .purpose = "print commands for C shells"},
	{.letter = 's', .purpose = "print commands for Bourne shells"},
	{.name = "config", .value = &file, .purpose = "read this configuration alone"},
	{.letter = 'D', .purpose = "stay in the foreground"},
	{.letter = 'd', .purpose = "stay in the foreground, and write what happens"},
	{.letter = 'E', .value = &hash, .purpose = "taken for ssh-agent's sake"},
	{.letter = 'k', .purpose = "end the agent that SSH_AGENT_PID names"},
	{.letter = 'O', .value = &option, .purpose = "set an option, see keystile-agent(1)"},
	{.letter = 'P', .value = &providers, .purpose = "modules that may be loaded, by patterns"},
	{.letter = 'T', .purpose = "put the socket below TMPDIR"},
	{.letter = 't', .value = &life, .purpose = "forget what is loaded after this time"},
	{.letter = 'U', .purpose = "leave stale sockets of others"},
	{.letter = 'u', .purpose = "remove stale sockets, and end"},
	{.name = "version", .letter = 'V', .purpose = "print the version"},
	{.name = "help", .purpose = "print this"},
	{0},
};
