/*
 * A line of the audit log (docs/audit.schema.json) in words.
 */
#ifndef KEYSTILE_CTL_AUDIT_LINE_H
#define KEYSTILE_CTL_AUDIT_LINE_H

#include "page.h"

/* What is no line of it is said to be unreadable. */
void audit_line_print(struct page *page, const char *text);

#endif
