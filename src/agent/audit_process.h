/*
 * The asking process in a line of the audit log.
 */
#ifndef AGENT_AUDIT_PROCESS_H
#define AGENT_AUDIT_PROCESS_H

#include <jansson.h>

#include <keystile/buffer.h>

#include "peer.h"

/* Its pid, executable and, if wanted, those of who started it, nearest first. */
json_t *audit_process(const struct peer *peer, bool with_parents);
/* As audit_text() in audit.h, up to 240 characters. */
json_t *audit_path(struct bytes text);

#endif
