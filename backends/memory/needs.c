/*
 * What the memory backend's process needs of the system: nothing.
 */
#include <stddef.h>

#include <keystile/backend.h>

static const char *const nothing[] = {NULL};

extern KS_NEEDS(memory);

KS_NEEDS(memory) = {
	.name = "memory",
	.scheme = "memory",
	.loads_path = false,
	.environment = nothing,
	.foreign_code = false,
	.takes_keys = true,
	.syscalls = KS_SYSCALLS_LISTED,
	.read_paths = nothing,
	.write_paths = nothing,
	.device_paths = nothing,
	.connect_paths = nothing,
	.state_named_in = nothing,
	.network = false,
};
