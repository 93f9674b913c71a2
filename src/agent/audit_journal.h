/*
 * The audit log in the system's journal.
 */
#ifndef AGENT_AUDIT_JOURNAL_H
#define AGENT_AUDIT_JOURNAL_H

/* Sends a line, without its end. May block. 0 or an errno: ENOENT where there is no journal. */
int audit_journal_send(const char *line);

#endif
