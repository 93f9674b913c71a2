/*
 * What the fake backend's process needs of the system: nothing.
 */
#include <stddef.h>

#include <keystile/backend.h>

static const char *const nothing[] = {NULL};

extern KS_NEEDS(fake);

KS_NEEDS(fake) = {
	.name = "fake",
	.scheme = "fake",
	.loads_path = false,
	.environment = nothing,
	.foreign_code = true, /* the agent must not believe it, or its lies would test nothing */
	.syscalls = KS_SYSCALLS_COMMON,
	.read_paths = nothing,
	.write_paths = nothing,
	.device_paths = nothing,
	.connect_paths = nothing,
	.state_named_in = nothing,
	.network = false,
};
