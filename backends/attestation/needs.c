/*
 * What the process that checks attestations needs of the system: the certificates that are trusted.
 * Linked into the agent too, so nothing but constants may stand here.
 */
#include <stddef.h>

#include <keystile/backend.h>

static const char *const environment[] = {
	"HOME",
	"XDG_CONFIG_HOME",
	NULL,
};

/* The folders of roots.c. */
static const char *const read_paths[] = {
	"/etc/keystile/attestation",
	"$HOME/.config/keystile/attestation",
	"$XDG_CONFIG_HOME/keystile/attestation",
	NULL,
};

static const char *const nothing[] = {NULL};

extern KS_NEEDS(attestation);

KS_NEEDS(attestation) = {
	.name = "attestation",
	.scheme = "attestation",
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
