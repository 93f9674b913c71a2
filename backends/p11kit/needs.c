/*
 * What the process that reads p11-kit's configuration needs of the system: that configuration.
 * Linked into the agent too, so nothing but constants may stand here.
 */
#include <stddef.h>

#include <keystile/backend.h>

static const char *const environment[] = {
	"HOME",
	"XDG_CONFIG_HOME",
	"P11_KIT_DEBUG", /* p11-kit: what it writes to stderr */
	NULL,
};

static const char *const read_paths[] = {
	"/etc/pkcs11",
	"/usr/share/p11-kit",
	"$HOME/.config/pkcs11",
	"$XDG_CONFIG_HOME/pkcs11",
	NULL,
};

static const char *const nothing[] = {NULL};

extern KS_NEEDS(p11kit);

KS_NEEDS(p11kit) = {
	.name = "p11kit",
	.scheme = "p11-kit",
	.finds_providers = true,
	.loads_path = false,
	.environment = environment,
	.foreign_code = false,
	.syscalls = KS_SYSCALLS_DEVICE,
	.read_paths = read_paths,
	.write_paths = nothing,
	.device_paths = nothing,
	.connect_paths = nothing,
	.state_named_in = nothing,
	.network = false,
};
