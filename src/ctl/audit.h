/*
 * `keystile log`: the last lines of the audit log, in words or as they are. It reads the file
 * alone: the agent need not run.
 */
#ifndef KEYSTILE_CTL_AUDIT_H
#define KEYSTILE_CTL_AUDIT_H

#include <stdbool.h>

#include <keystile/error.h>

#include "audit_filter.h"
#include "page.h"

struct audit_wish {
	unsigned count; /* of lines, from the end */
	bool follow;	/* goes on with those that are added, until the output is closed */
	bool as_json;	/* as they are */
	struct audit_filter filter; /* only those */
};

#define AUDIT_COUNT_MAX 100000U

/* Any error has been said. */
KS_MUST_CHECK enum ks_error audit_print(struct page *page, const struct audit_wish *wish);

#endif
