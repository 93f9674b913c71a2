/*
 * Extended key usages by their names: what keystile.conf(5) takes and status shows. Workers tell of
 * them as OIDs in digits with commas between them, struct ks_certificate.
 */
#ifndef AGENT_KEY_USAGE_H
#define AGENT_KEY_USAGE_H

#include <stdbool.h>

#include <keystile/buffer.h>

/* A name that is known here, an OID in digits, KEY_USAGE_ANY, or "*". */
bool key_usage_fits(const char *usage);
/* Whether a certificate with these usages has this one; one without any has KEY_USAGE_ANY alone. */
bool key_usage_among(const char *usages, const char *usage);
/* NULL: none is known for it. */
const char *key_usage_name(struct bytes oid);

/* For a certificate that restricts nothing, or says so. */
#define KEY_USAGE_ANY "any"

#endif
