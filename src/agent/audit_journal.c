/*
 * See audit_journal.h. `journalctl -t keystile-audit -o cat` prints the lines again.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "audit_journal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

/* libsystemd takes its absence for success. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

int audit_journal_send(const char *line)
{
	static char priority[] = "PRIORITY=6";
	static char identifier[] = "SYSLOG_IDENTIFIER=keystile-audit";
	static char kind[] = "MESSAGE_ID=0c0b8a0e2b7d4c5e9a41d6f38e7b5a12";
	AUTO(text) message = text_format("MESSAGE=%s", line);

	if (message == NULL)
		return ENOMEM;
	if (access(JOURNAL_SOCKET, F_OK) != 0)
		return errno;

	const struct iovec fields[] = {
		{.iov_base = message, .iov_len = strlen(message)},
		{.iov_base = priority, .iov_len = strlen(priority)},
		{.iov_base = identifier, .iov_len = strlen(identifier)},
		{.iov_base = kind, .iov_len = strlen(kind)},
	};

	return -sd_journal_sendv(fields, sizeof(fields) / sizeof(fields[0]));
}
