/*
 * See uri_rules.h. What a URI says beyond tokens and the module can't be kept to here, so it is
 * refused, and so is a PIN: it would stand in lists of processes, in files and in this process's
 * memory.
 */
#include "uri_rules.h"

#include <stddef.h>

#include <p11-kit/uri.h>

const char *uri_objection(struct p11_kit_uri *uri)
{
	if (p11_kit_uri_get_pin_value(uri) || p11_kit_uri_get_pin_source(uri))
		return "a PIN has no place in a URI: it is asked for when it is needed; take "
		       "pin-value and pin-source out of it";
	if (p11_kit_uri_any_unrecognized(uri))
		return "the URI says more than which token and which module: take all out of it "
		       "but token, serial, manufacturer, model, module-path and module-name";
	return NULL;
}
