/*
 * Takes a command APDU apart: short and extended lengths, with and without data, with and without
 * Le.
 */
#include "command.h"

#define CHAINED 0x10
#define SHORT_MAX 256
#define EXTENDED_MAX 65536

static size_t u16(struct reader *in)
{
	size_t high = reader_u8(in);

	return high << 8 | reader_u8(in);
}

static void read_short(struct reader *in, struct command *command)
{
	size_t first;

	command->expected = SHORT_MAX;
	if (in->left == 0)
		return;
	first = reader_u8(in);
	if (in->left == 0) {
		command->expected = first ? first : SHORT_MAX;
		return;
	}
	command->data = reader_raw(in, first);
	if (in->left > 0) {
		first = reader_u8(in);
		command->expected = first ? first : SHORT_MAX;
	}
}

/* The first of three bytes was 0; two more are the length of the data, or Le. */
static void read_extended(struct reader *in, struct command *command)
{
	size_t first;

	command->expected = EXTENDED_MAX;
	reader_u8(in);
	first = u16(in);
	if (in->left == 0) {
		command->expected = first ? first : EXTENDED_MAX;
		return;
	}
	command->data = reader_raw(in, first);
	if (in->left > 0) {
		first = u16(in);
		command->expected = first ? first : EXTENDED_MAX;
	}
}

enum status command_read(struct bytes bytes, struct command *command)
{
	struct reader in = reader_of(bytes);
	uint8_t class = reader_u8(&in);

	*command = (struct command){.chained = class & CHAINED};
	command->instruction = reader_u8(&in);
	command->p1 = reader_u8(&in);
	command->p2 = reader_u8(&in);
	if (!in.failed && in.left >= 3 && in.data[0] == 0)
		read_extended(&in, command);
	else
		read_short(&in, command);
	if (in.failed || in.left > 0)
		return STATUS_WRONG_LENGTH;
	return class & ~CHAINED ? STATUS_CLASS_UNKNOWN : STATUS_OK;
}
