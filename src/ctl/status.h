/*
 * The agent's status for a person. The fields are those of docs/PROTOCOL.md; each may be missing,
 * and what is not known here is passed over.
 */
#ifndef KEYSTILE_CTL_STATUS_H
#define KEYSTILE_CTL_STATUS_H

#include "control.h"
#include "page.h"

#define STATUS_FIELD 4	/* column where a field's name begins */
#define STATUS_VALUE 15 /* column where what belongs to it begins */

/* The agent has a socket there. */
bool status_listens_at(const json_t *status, const char *path);
void status_print(struct page *page, const json_t *status, const struct control *control);
/* Parts of it. */
void status_print_keys(struct page *page, const json_t *status, const struct control *control);
/* With those that are not offered, and why. */
void status_print_all_keys(struct page *page, const json_t *status, const struct control *control);
/* The last refusal of what was asked from this process's terminal. */
/* {"refusal": as status has it, or null, "from_this_terminal"}; the caller gives it back. */
json_t *status_why_json(const json_t *status);
void status_print_why(struct page *page, const json_t *status, const struct control *control);
/* Where ssh finds the agent; "" where it does not say. Borrowed. */
const char *status_local_socket(const json_t *status);

/* ---- Between its files ---- */

typedef void print_item(struct page *page, const json_t *item);

void status_configured(struct page *page, const json_t *configured);
void status_provider(struct page *page, const json_t *provider);
void status_key(struct page *page, const json_t *key);
void status_withheld(struct page *page, const json_t *key);
void status_certificate(struct page *page, const json_t *file);
void status_denial(struct page *page, const json_t *denial);
void status_refusal(struct page *page, const json_t *refusal);

#endif
