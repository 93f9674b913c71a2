/*
 * PKCS#11 URIs (RFC 7512) as names of providers: which of a module's tokens are meant. Parsed and
 * matched by p11-kit's own functions. A canonical name is "pkcs11:ATTRIBUTES?module-path=PATH",
 * with the path as it is and no other "/" or "?", or the path alone.
 */
#ifndef KEYSTILE_PKCS11_URI_H
#define KEYSTILE_PKCS11_URI_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

#include <keystile/backend.h>

struct p11_kit_uri;

/* For ks_backend.locate: a URI, or the path of a module. */
KS_MUST_CHECK enum ks_error uri_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical);
/* The path of the module in a canonical name; borrowed. */
const char *uri_module_path(const char *canonical);
/* What a canonical name says of tokens; *out is NULL where all are meant. uri_free() it. */
KS_MUST_CHECK enum ks_error uri_of(const char *canonical, struct p11_kit_uri **out);
void uri_free(struct p11_kit_uri *uri);
/* uri may be NULL. */
bool uri_means(const struct p11_kit_uri *uri, const CK_TOKEN_INFO *token);

#endif
