/* The names of what is counted. */
#include "counts.h"

#include <stdio.h>
#include <string.h>

static const char *const commands[COUNTS_COMMANDS] = {
	[0x01] = "make_credential",
	[0x02] = "get_assertion",
	[0x04] = "get_info",
	[0x06] = "client_pin",
	[0x07] = "reset",
	[0x08] = "get_next_assertion",
	[0x09] = "bio_enrollment",
	[0x0a] = "credential_management",
	[0x0b] = "selection",
	[0x0c] = "large_blobs",
	[0x0d] = "config",
	[0x40] = "bio_enrollment_preview",
	[0x41] = "credential_management_preview",
};

static const char *const subcommands[COUNTS_SUBCOMMANDS] = {
	[0x01] = "retries",
	[0x02] = "key_agreement",
	[0x03] = "set",
	[0x04] = "change",
	[0x05] = "token",
	[0x06] = "token_by_finger",
	[0x07] = "uv_retries",
	[0x09] = "token_with_permissions",
};

static void print(char *out, size_t room, const char *prefix, const char *name, unsigned count)
{
	size_t len = strlen(out);

	if (count > 0)
		snprintf(out + len, room - len, "%s%s%s=%u", len > 0 ? " " : "", prefix, name,
			count);
}

void counts_print(const struct counts *counts, char *out, size_t room)
{
	out[0] = '\0';
	print(out, room, "", "init", counts->init);
	print(out, room, "", "ping", counts->ping);
	print(out, room, "", "u2f", counts->u2f);
	print(out, room, "", "pin_tries", counts->pin_tries);
	print(out, room, "", "touches", counts->touches);
	print(out, room, "", "busy", counts->busy);
	print(out, room, "", "silent", counts->silent);
	for (size_t i = 0; i < COUNTS_COMMANDS; i++)
		print(out, room, "", commands[i] != NULL ? commands[i] : "unknown",
			counts->commands[i]);
	for (size_t i = 0; i < COUNTS_SUBCOMMANDS; i++)
		print(out, room, "client_pin.", subcommands[i] != NULL ? subcommands[i] : "unknown",
			counts->subcommands[i]);
}

int counts_subcommand(const char *name)
{
	const char *dot = strchr(name, '.');

	for (int i = 0; dot != NULL && i < COUNTS_SUBCOMMANDS; i++) {
		if (subcommands[i] != NULL && strcmp(subcommands[i], dot + 1) == 0)
			return i;
	}
	return -1;
}

int counts_command(const char *name)
{
	for (int i = 0; i < COUNTS_COMMANDS; i++) {
		if (commands[i] != NULL && strncmp(commands[i], name, strlen(commands[i])) == 0 &&
			strchr(".", name[strlen(commands[i])]) != NULL)
			return i;
	}
	return -1;
}
