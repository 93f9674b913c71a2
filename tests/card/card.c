/*
 * Which command goes where; commands that come in pieces, answers that leave in pieces.
 */
#include "card.h"

#include <string.h>
#include <time.h>

#include "authenticate.h"
#include "management.h"
#include "objects.h"
#include "openpgp.h"
#include "pin.h"
#include "yubikey.h"

#define CHAIN_MAX 8192

/* A PIV card that says nothing of its maker. Not 3b80800101: OpenSC takes that for one without EC.
 */
static const uint8_t plain_atr[] = {0x3b, 0x85, 0x80, 0x01, 0x76, 0x50, 0x49, 0x56, 0x31, 0x0c};
/* YubiKey 5's */
static const uint8_t yubikey_atr[] = {0x3b, 0xfd, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x80,
	0x73, 0xc0, 0x21, 0xc0, 0x57, 0x59, 0x75, 0x62, 0x69, 0x4b, 0x65, 0x79, 0x40};

void card_init(struct card *card)
{
	*card = (struct card){.serial = 1234567, .version = {5, 4, 3}};
	slots_init(card->slots);
	pin_set(&card->pin, "123456");
	pin_set(&card->puk, "12345678");
	buf_init(&card->chain, CHAIN_MAX);
}

void card_deinit(struct card *card)
{
	slots_deinit(card->slots);
	buf_deinit(&card->chain);
	buf_deinit(&card->rest);
	buf_deinit(&card->waiting);
}

void card_reset(struct card *card)
{
	card->openpgp_selected = false;
	card->selected = card->verified = card->fresh = card->managed = false;
	card->challenge_tag = 0;
	card->touch_awaited = false;
	buf_clear(&card->chain);
	buf_clear(&card->rest);
}

struct bytes card_atr(const struct card *card)
{
	return card->yubikey ? BYTES(yubikey_atr, sizeof(yubikey_atr))
			     : BYTES(plain_atr, sizeof(plain_atr));
}

int64_t card_now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void put_status(struct buf *answer, unsigned status)
{
	buf_put_u8(answer, (uint8_t)(status >> 8));
	buf_put_u8(answer, (uint8_t)status);
}

/* As much of the rest as is asked for, and how much there is still. */
static void hand_out(struct card *card, size_t expected, unsigned status, struct buf *answer)
{
	size_t len = card->rest.len < expected ? card->rest.len : expected;

	buf_put(answer, BYTES(card->rest.data, len));
	buf_consume(&card->rest, len);
	if (card->rest.len > 0)
		status = STATUS_MORE | (card->rest.len > 0xff ? 0 : (unsigned)card->rest.len);
	put_status(answer, status);
}

static unsigned run(struct card *card, const struct command *command)
{
	if (command->instruction == SELECT)
		return openpgp_select(card, command) == STATUS_OK ? STATUS_OK
								  : objects_select(card, command);
	if (card->openpgp_selected)
		return openpgp_command(card, command);
	if (!card->selected)
		return STATUS_UNKNOWN;
	switch (command->instruction) {
	case GET_DATA:
		return objects_get(card, command);
	case VERIFY:
		return pin_verify(card, command);
	case CHANGE_REFERENCE:
		return pin_change(card, command);
	case RESET_RETRY:
		return pin_unblock(card, command);
	case AUTHENTICATE:
		return command->p2 == MANAGEMENT_KEY ? management_authenticate(card, command)
						     : authenticate(card, command);
	case GENERATE:
		return management_generate(card, command);
	case PUT_DATA:
		return management_put(card, command);
	default:
		return yubikey_command(card, command);
	}
}

/* True once the command is whole; its data is that of all pieces then. */
static bool gather(struct card *card, struct command *command, unsigned *status)
{
	bool first = card->chain.len == 0;

	*status = STATUS_OK;
	if (!first && (command->instruction != card->chained.instruction ||
			      command->p1 != card->chained.p1 || command->p2 != card->chained.p2)) {
		buf_clear(&card->chain);
		first = true;
	}
	if (first && !command->chained)
		return true;
	buf_put(&card->chain, command->data);
	card->chained = *command;
	if (card->chain.failed) {
		buf_clear(&card->chain);
		*status = STATUS_WRONG_LENGTH;
		return false;
	}
	command->data = buf_bytes(&card->chain);
	return !command->chained;
}

/* The PIN stands for the very next command; a YubiKey is content with the next use of a key. */
static void grow_stale(struct card *card, const struct command *command)
{
	if (!card->yubikey && command->instruction != AUTHENTICATE &&
		command->instruction != VERIFY)
		card->fresh = false;
}

static void put_aside(struct card *card, const struct command *command)
{
	buf_clear(&card->waiting);
	buf_put(&card->waiting, command->data);
	card->awaiting = *command;
	card->awaiting.data = buf_bytes(&card->waiting);
	card->touch_awaited = true;
}

/* Pieces of a true answer are handed out as ever. */
static bool lies(const struct card *card, const struct command *command, struct buf *answer)
{
	for (size_t i = 0; i < LIES_MAX; i++) {
		const struct lie *lie = &card->lies[i];

		if (!lie->told || lie->instruction != command->instruction ||
			(command->instruction == GET_RESPONSE && card->rest.len > 0))
			continue;
		buf_put(answer, BYTES(lie->answer, lie->len));
		return true;
	}
	return false;
}

bool card_command(struct card *card, struct bytes bytes, struct buf *answer)
{
	struct command command;
	unsigned status = command_read(bytes, &command);

	card->counts.commands[command.instruction]++;
	if (lies(card, &command, answer))
		return true;
	if (status == STATUS_OK && command.instruction == GET_RESPONSE) {
		hand_out(card, command.expected, STATUS_OK, answer);
		return true;
	}
	buf_clear(&card->rest);
	if (status == STATUS_OK && gather(card, &command, &status)) {
		grow_stale(card, &command);
		if (authenticate_wants_touch(card, &command)) {
			put_aside(card, &command);
			buf_clear(&card->chain);
			return false;
		}
		status = run(card, &command);
		buf_clear(&card->chain);
	}
	hand_out(card, command.expected ? command.expected : 1, status, answer);
	return true;
}

void card_touch(struct card *card, bool touched, struct buf *answer)
{
	unsigned status = STATUS_SECURITY;

	card->touch_awaited = false;
	if (touched) {
		card->touched_ms = card_now_ms();
		status = authenticate(card, &card->awaiting);
	}
	hand_out(card, card->awaiting.expected, status, answer);
}
