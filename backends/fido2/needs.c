/*
 * What the programs that speak with security keys need of the system. Linked into the agent too, so
 * nothing but constants may stand here. The worker hands each of them its device open.
 */
#include <stddef.h>

#include <keystile/backend.h>

static const char *const environment[] = {
	"FIDO_DEBUG", /* libfido2: what it writes to stderr */
	"HOME",	      /* where it remembers resident keys */
	"XDG_STATE_HOME",
	"KEYSTILE_FIDO2_PIN_MINUTES",
	NULL,
};

static const char *const nothing[] = {NULL};

extern KS_NEEDS(fido2);

KS_NEEDS(fido2) = {
	.name = "fido2",
	.scheme = "fido2",
	.loads_path = false,
	.environment = environment,
	.foreign_code = true,
	.takes_keys = true,
	.keys_on_any_token = true,
	.tokens_hold_keys = true,
	.syscalls = KS_SYSCALLS_LISTED,
	.library_apart = true,
	.read_paths = nothing,
	.write_paths = nothing,
	.device_paths = nothing,
	.connect_paths = nothing,
	.state_named_in = nothing,
	.network = false,
};
