/*
 * Asks pcscd anew, in a context of its own: what the thread that watches knows may be late.
 */
#include "reader_trouble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/socket_users.h>

#include "readers.h"

/* A first look answers at once; where there are no readers it would wait for one. */
#define LOOK_MS 1

struct finding {
	enum reader_trouble trouble;
	char reader[MAX_READERNAME + 1];
};

/* The library does not tell the two apart: pcscd hangs up on whom polkit refuses. */
static enum reader_trouble no_context(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("PCSCLITE_CSOCK_NAME");
	AUTO(fd) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		path != NULL ? path : PCSCD_SOCKET);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0
		       ? READER_NOT_ALLOWED
		       : READER_NO_SERVICE;
}

static enum reader_trouble state_of(const struct card_reader *reader)
{
	if (!readers_has_card(reader))
		return READER_EMPTY;
	return (reader->state & SCARD_STATE_EXCLUSIVE) != 0 ? READER_HELD : READER_FULL;
}

/* The worst of those that are meant. */
static void judge(const struct readers *readers, const char *location, struct finding *finding)
{
	finding->trouble = READER_MISSING;
	for (size_t i = 0; i < readers->count; i++) {
		const struct card_reader *reader = &readers->known[i];
		enum reader_trouble trouble = state_of(reader);

		if (location != NULL && !readers_is_at(location, reader->name))
			continue;
		if (finding->trouble != READER_MISSING && finding->trouble != READER_EMPTY &&
			trouble != READER_HELD)
			continue;
		finding->trouble = trouble;
		memcpy(finding->reader, reader->name, sizeof(finding->reader));
	}
}

static struct finding find(const char *location)
{
	struct finding finding = {.trouble = READER_FINE};
	struct readers readers = {.count = 0};

	if (!readers_find(&readers))
		return finding;
	if (!readers_connect(&readers)) {
		finding.trouble = no_context();
		return finding;
	}
	if (readers_wait(&readers, LOOK_MS) != READERS_LOST)
		judge(&readers, location, &finding);
	readers_disconnect(&readers);
	return finding;
}

enum reader_trouble reader_trouble_at(const char *location)
{
	return find(location).trouble;
}

enum reader_trouble reader_trouble_explain(struct ks_operation *operation, const char *location)
{
	struct finding finding = find(location);

	switch (finding.trouble) {
	case READER_FINE:
		break;
	case READER_FULL:
		ks_explain(operation,
			"the module makes nothing of the card in the reader %s; take it out and "
			"put "
			"it in again",
			finding.reader);
		break;
	case READER_NO_SERVICE:
		ks_explain(operation, "pcscd, which serves card readers, can't be reached");
		break;
	case READER_NOT_ALLOWED:
		ks_explain(operation,
			"pcscd refuses to serve us: polkit lets it serve who sits at the machine, "
			"not a login by ssh or a service, unless a rule says so");
		break;
	case READER_MISSING:
		ks_explain(operation, location != NULL ? "its reader is not plugged in"
						       : "pcscd knows of no card reader");
		break;
	case READER_EMPTY:
		ks_explain(operation, "no card is in the reader %s", finding.reader);
		break;
	case READER_HELD:
		ks_explain(
			operation, "another program has the reader %s to itself", finding.reader);
		break;
	}
	return finding.trouble;
}
