/*
 * Lines of the audit log on their way out: the event loop puts them into a bounded queue, a thread
 * of its own writes them in order. Where they can't be written, or not as fast as they come, they
 * are counted, and the count is written when it goes on. Nobody ever waits for it but the end of
 * the agent, for a moment.
 */
#ifndef AGENT_AUDIT_LOG_H
#define AGENT_AUDIT_LOG_H

#include <stdint.h>

#include "config.h"

#define AUDIT_TIME_MAX sizeof("2026-11-21T10:15:44.123Z")

struct audit_log;
struct timespec;

/* NULL when out of memory. The thread begins with the first line. */
struct audit_log *audit_log_new(void);
/* Takes line, which has no end yet; NULL is a line for which there was no memory. */
void audit_log_put(struct audit_log *log, const struct config *config, char *line);
/* A line that is left out on purpose is counted as the lost ones are. */
void audit_log_leave_out(struct audit_log *log);
/* Lines that were lost or left out so far. */
uint64_t audit_log_lost(struct audit_log *log);
/*
 * Waits until all is written, but no longer than a second: what hangs then is left to the end of
 * the process. NULL is fine.
 */
void audit_log_close(struct audit_log *log);
/* RFC 3339, UTC, with milliseconds. */
void audit_log_time(const struct timespec *when, char out[static AUDIT_TIME_MAX]);

#endif
