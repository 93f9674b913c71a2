/*
 * The agent's status for a person. The fields are those of docs/PROTOCOL.md; each may be missing,
 * and what is not known here is passed over.
 */
#ifndef KEYSTILE_CTL_STATUS_H
#define KEYSTILE_CTL_STATUS_H

#include "control.h"
#include "page.h"

/* The agent has a socket there. */
bool status_listens_at(const json_t *status, const char *path);
void status_print(struct page *page, const json_t *status, const struct control *control);

#endif
