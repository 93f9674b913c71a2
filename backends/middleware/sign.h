/*
 * One signature: PIN, touch, the library, and whether what came back shows what was asked for.
 */
#ifndef KEYSTILE_MIDDLEWARE_SIGN_H
#define KEYSTILE_MIDDLEWARE_SIGN_H

#include <keystile/key_handles.h>

/* path was checked; token is how the person is told of it. */
struct signing {
	struct ks_operation *operation;
	const char *path;
	const struct ks_token *token;
	const struct key_handle *key;
	const struct ks_sign *request;
	uint8_t flags; /* what the library is asked for; sign_with_library() sets it */
};

KS_MUST_CHECK enum ks_error sign_with_library(struct signing *signing, struct buf *signature);

#endif
