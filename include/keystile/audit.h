/*
 * Where the audit log lies when it is a file: the agent writes it, `keystile log` reads it.
 */
#ifndef KEYSTILE_AUDIT_H
#define KEYSTILE_AUDIT_H

#define AUDIT_FILE "audit.jsonl"
#define AUDIT_FILE_OLD "audit.jsonl.1" /* the one before, once that was full */
#define AUDIT_LINE_MAX 32768	       /* bytes, with its end; the agent's lines are shorter */

/*
 * $XDG_STATE_HOME/keystile, by default ~/.local/state/keystile; the caller frees it. NULL when out
 * of memory or nobody knows a home.
 */
char *audit_folder(void);

#endif
