/*
 * Waits for PC/SC to tell of readers and cards. pcscd wakes it also when programs connect to a
 * card; that is no news here.
 */
#include "readers.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libpcsclite.so.1"
#define NEW_READERS "\\\\?PnP?\\Notification"
#define LOCATION_MAX 64 /* of CK_SLOT_INFO, and those of our own */
#define NAMES_MAX ((MAX_READERNAME + 1) * READERS_MAX)

/* Those that change with a card, and pcscd's count of its comings and goings. */
#define CARD_STATES                                                                                \
	(SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE | SCARD_STATE_EMPTY | SCARD_STATE_PRESENT | \
		SCARD_STATE_MUTE | 0xffff0000UL)

bool readers_symbol(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);

	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

void *readers_library(void)
{
	return dlopen(LIBRARY, RTLD_NOW | RTLD_NOLOAD);
}

bool readers_find(struct readers *readers)
{
	void *library = readers_library();

	return library != NULL &&
	       readers_symbol(library, "SCardEstablishContext", &readers->establish) &&
	       readers_symbol(library, "SCardReleaseContext", &readers->release) &&
	       readers_symbol(library, "SCardListReaders", &readers->list) &&
	       readers_symbol(library, "SCardGetStatusChange", &readers->wait);
}

bool readers_connect(struct readers *readers)
{
	readers->count = 0;
	readers->connected = readers->establish(SCARD_SCOPE_SYSTEM, NULL, NULL,
				     &readers->context) == SCARD_S_SUCCESS;
	return readers->connected;
}

void readers_disconnect(struct readers *readers)
{
	if (readers->connected)
		readers->release(readers->context);
	readers->connected = false;
	readers->count = 0;
}

static const struct card_reader *find(const struct readers *readers, const char *name)
{
	for (size_t i = 0; i < readers->count; i++)
		if (strcmp(readers->known[i].name, name) == 0)
			return &readers->known[i];
	return NULL;
}

/* Reads which readers there are; those that are known keep what is known of them. */
static bool look(struct readers *readers)
{
	struct readers fresh = {.count = 0};
	char names[NAMES_MAX] = {0};
	DWORD len = sizeof(names) - 2; /* however it ends, it ends */
	LONG result = readers->list(readers->context, NULL, names, &len);

	if (result != SCARD_S_SUCCESS && result != SCARD_E_NO_READERS_AVAILABLE)
		return false;
	if (result == SCARD_E_NO_READERS_AVAILABLE)
		names[0] = '\0';
	for (const char *at = names; *at && fresh.count < READERS_MAX; at += strlen(at) + 1) {
		struct card_reader *reader = &fresh.known[fresh.count++];
		const struct card_reader *before = find(readers, at);

		if (before)
			*reader = *before;
		else
			snprintf(reader->name, sizeof(reader->name), "%.*s", MAX_READERNAME, at);
	}
	memcpy(readers->known, fresh.known, sizeof(readers->known));
	readers->count = fresh.count;
	return true;
}

/* From empty to one card more: it may have been used before this news of it came. */
static bool came_in(DWORD before, DWORD state)
{
	return (before & SCARD_STATE_EMPTY) && (state & SCARD_STATE_PRESENT) &&
	       (state >> 16) == (before >> 16) + 1;
}

/* Of a reader that is new nobody has used the card before. */
static bool note(struct card_reader *reader, DWORD state)
{
	DWORD before = reader->state;
	bool changed = ((before ^ state) & CARD_STATES) != 0;

	reader->freed = (before & ~state & SCARD_STATE_EXCLUSIVE) != 0;
	reader->left = changed && before != SCARD_STATE_UNAWARE && !came_in(before, state);
	reader->state = state & ~(DWORD)SCARD_STATE_CHANGED;
	return changed;
}

/* The pseudo-reader's state is the number of readers, which pcscd compares with its own. */
static enum readers_news wait_once(struct readers *readers, DWORD timeout_ms)
{
	SCARD_READERSTATE states[READERS_MAX + 1] = {0};
	size_t count = readers->count;
	bool moved;
	LONG result;

	for (size_t i = 0; i < count; i++) {
		states[i].szReader = readers->known[i].name;
		states[i].dwCurrentState = readers->known[i].state;
	}
	states[count].szReader = NEW_READERS;
	states[count].dwCurrentState = (DWORD)count << 16;
	result = readers->wait(readers->context, timeout_ms, states, (DWORD)count + 1);
	for (size_t i = 0; i < count; i++)
		readers->known[i].left = readers->known[i].freed = false;
	if (result == SCARD_E_TIMEOUT)
		return READERS_LATE;
	if (result == SCARD_E_UNKNOWN_READER)
		return READERS_SAME;
	if (result != SCARD_S_SUCCESS)
		return READERS_LOST;
	moved = (states[count].dwEventState & SCARD_STATE_CHANGED) != 0;
	for (size_t i = 0; i < count; i++)
		moved |= note(&readers->known[i], states[i].dwEventState);
	return moved ? READERS_MOVED : READERS_SAME;
}

enum readers_news readers_wait(struct readers *readers, unsigned timeout_ms)
{
	if (!look(readers))
		return READERS_LOST;
	return wait_once(readers, timeout_ms ? timeout_ms : INFINITE);
}

bool readers_has_card(const struct card_reader *reader)
{
	return (reader->state & SCARD_STATE_PRESENT) != 0;
}

bool readers_is_at(const char *location, const char *reader)
{
	size_t len = strlen(location);

	return len > 0 && strncmp(location, reader, len) == 0 &&
	       (reader[len] == '\0' || len == LOCATION_MAX || reader[len] == ' ');
}
