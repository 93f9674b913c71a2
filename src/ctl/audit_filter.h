/*
 * Which lines of the audit log a person wants to see.
 */
#ifndef KEYSTILE_CTL_AUDIT_FILTER_H
#define KEYSTILE_CTL_AUDIT_FILTER_H

#include <stdbool.h>

/* All that is set has to hold; borrowed texts, NULL where it may be anything. */
struct audit_filter {
	const char *key;    /* fingerprint, or pattern of the comment */
	const char *host;   /* pattern of a name, or fingerprint of the host key, on the way */
	const char *origin; /* "local" or "remote" */
	bool refused;	    /* or left without an answer */
};

/* False: an origin that is none. */
bool audit_filter_possible(const struct audit_filter *filter);
/* It lets everything through. */
bool audit_filter_open(const struct audit_filter *filter);
/* A line as it stands in the file. Lines that were lost are always shown. */
bool audit_filter_wants(const struct audit_filter *filter, const char *line);

#endif
