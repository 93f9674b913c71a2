/*
 * Commands and answers of ISO 7816-4 in short form. A card may say what it likes: how much of it is
 * heard, and for how long, is decided here.
 */
#include "card.h"

#include <dlfcn.h>
#include <string.h>

#include "readers.h"

#define GET_RESPONSE 0xc0
#define MORE 0x61
#define DATA_MAX 255
#define PIECE_MAX 258 /* and the status word; extended lengths are not asked for */
/* Of a whole visit: an insertion is about thirty with four keys. */
#define COMMANDS_MAX 160
#define VISIT_SECONDS 10
#define NAMES_MAX ((MAX_READERNAME + 1) * READERS_MAX)

bool card_library_find(struct card_library *library)
{
	void *loaded = readers_library();

	*library = (struct card_library){0};
	return loaded != NULL &&
	       readers_symbol(loaded, "SCardEstablishContext", &library->establish) &&
	       readers_symbol(loaded, "SCardReleaseContext", &library->release) &&
	       readers_symbol(loaded, "SCardListReaders", &library->list) &&
	       readers_symbol(loaded, "SCardConnect", &library->connect) &&
	       readers_symbol(loaded, "SCardDisconnect", &library->disconnect) &&
	       readers_symbol(loaded, "SCardBeginTransaction", &library->begin) &&
	       readers_symbol(loaded, "SCardEndTransaction", &library->end) &&
	       readers_symbol(loaded, "SCardStatus", &library->status) &&
	       readers_symbol(loaded, "SCardTransmit", &library->transmit);
}

static bool choose(struct card *card, char name[static MAX_READERNAME + 1],
	bool (*chosen)(const char *reader, const void *context), const void *context)
{
	char names[NAMES_MAX] = {0};
	DWORD len = sizeof(names) - 2; /* however it ends, it ends */
	unsigned count = 0;

	if (card->library->list(card->context, NULL, names, &len) != SCARD_S_SUCCESS)
		return false;
	for (const char *at = names; *at; at += strlen(at) + 1) {
		if (strlen(at) > MAX_READERNAME || !chosen(at, context))
			continue;
		memcpy(name, at, strlen(at) + 1);
		count++;
	}
	return count == 1;
}

/* All of Yubico's that know PIV have it in their historical bytes. */
static bool says_yubikey(const uint8_t *atr, size_t len)
{
	return memmem(atr, len, "Yubi", 4) != NULL;
}

static void read_atr(struct card *card)
{
	uint8_t atr[MAX_ATR_SIZE] = {0};
	DWORD state = 0, protocol = 0, len = sizeof(atr), name_len = 0;

	if (card->library->status(card->handle, NULL, &name_len, &state, &protocol, atr, &len) ==
			SCARD_S_SUCCESS &&
		len <= sizeof(atr))
		card->yubikey = says_yubikey(atr, len);
}

/* The connection is made and the transaction begun, or neither. */
static bool enter(struct card *card, const char *reader)
{
	const struct card_library *library = card->library;

	if (library->connect(card->context, reader, SCARD_SHARE_SHARED,
		    SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card->handle,
		    &card->protocol) != SCARD_S_SUCCESS)
		return false;
	if (library->begin(card->handle) == SCARD_S_SUCCESS)
		return true;
	library->disconnect(card->handle, SCARD_LEAVE_CARD);
	return false;
}

bool card_open(struct card *card, const struct card_library *library,
	bool (*chosen)(const char *reader, const void *context), const void *context)
{
	char name[MAX_READERNAME + 1];

	*card = (struct card){.library = library};
	if (library->establish == NULL || library->establish(SCARD_SCOPE_SYSTEM, NULL, NULL,
						  &card->context) != SCARD_S_SUCCESS)
		return false;
	if (!choose(card, name, chosen, context) || !enter(card, name)) {
		library->release(card->context);
		return false;
	}
	clock_gettime(CLOCK_MONOTONIC, &card->due);
	card->due.tv_sec += VISIT_SECONDS;
	read_atr(card);
	return true;
}

void card_close(struct card *card)
{
	card->library->end(card->handle, SCARD_LEAVE_CARD);
	card->library->disconnect(card->handle, SCARD_LEAVE_CARD);
	card->library->release(card->context);
}

/* A card that takes its time is not asked for more. */
static bool may_send(struct card *card)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return !card->failed && card->sent++ < COMMANDS_MAX && now.tv_sec <= card->due.tv_sec;
}

/* One command and one piece of an answer, appended; its status word, or 0. */
static unsigned send(struct card *card, struct bytes command, struct buf *answer)
{
	const SCARD_IO_REQUEST header = {
		.dwProtocol = card->protocol, .cbPciLength = sizeof(header)};
	uint8_t piece[PIECE_MAX];
	DWORD len = sizeof(piece);

	if (!may_send(card) || card->library->transmit(card->handle, &header, command.data,
				       command.len, NULL, piece, &len) != SCARD_S_SUCCESS)
		return 0;
	if (len < 2 || len > sizeof(piece))
		return 0;
	buf_put(answer, BYTES(piece, len - 2));
	return answer->failed ? 0 : (unsigned)piece[len - 2] << 8 | piece[len - 1];
}

static unsigned send_whole(
	struct card *card, const struct card_command *command, struct buf *answer)
{
	uint8_t bytes[5 + DATA_MAX + 1] = {
		0, command->instruction, command->p1, command->p2, (uint8_t)command->data.len};
	const uint8_t more[] = {0, GET_RESPONSE, 0, 0, 0};
	/* Without data the fifth is the length of the answer, 0: any. */
	size_t len = command->silent ? 4 : 5;
	unsigned status;

	if (command->data.len > DATA_MAX)
		return 0;
	if (command->data.len > 0) {
		memcpy(bytes + len, command->data.data, command->data.len);
		len += command->data.len + 1;
	}
	status = send(card, BYTES(bytes, len), answer);
	while (status >> 8 == MORE) {
		size_t before = answer->len;

		status = send(card, BYTES(more, sizeof(more)), answer);
		if (status >> 8 == MORE && answer->len == before)
			return 0;
	}
	return status;
}

unsigned card_ask(struct card *card, const struct card_command *command, struct buf *answer)
{
	unsigned status;

	buf_clear(answer);
	answer->max = CARD_ANSWER_MAX;
	status = send_whole(card, command, answer);
	card->failed |= status == 0;
	return status;
}
