/*
 * What `keystile fido` and the agent ask of the worker besides signatures.
 */
#ifndef KEYSTILE_FIDO2_ADMIN_H
#define KEYSTILE_FIDO2_ADMIN_H

#include <jansson.h>

#include "residents.h"

/*
 * Every token that is in and so called, for answer["tokens"]; with pin, also the resident keys of
 * those that have a PIN, for which the person is asked.
 */
KS_MUST_CHECK enum ks_error admin_list(struct residents *residents, struct ks_operation *operation,
	const char *name, bool pin, json_t *answer);

#endif
