/*
 * What the process of a security key middleware needs of the system. Linked into the agent too,
 * so nothing but constants may stand here.
 */
#include <stddef.h>

#include <keystile/backend.h>

/* What people set for the libraries they use; everything else goes through worker-env. */
static const char *const environment[] = {
	"HOME",
	"XDG_RUNTIME_DIR",
	"XDG_CONFIG_HOME",
	"LANG",
	"LC_ALL",
	"FIDO_DEBUG",	       /* libfido2: what it writes to stderr */
	"PCSCLITE_CSOCK_NAME", /* pcscd's socket where it is elsewhere */
	NULL,
};

static const char *const nothing[] = {NULL};

static const char *const read_paths[] = {
	"/usr/share",
	"/etc/ssl",
	"/etc/pkcs11",
	"/etc/opensc",
	"/run/udev",
	"/sys/bus",
	"/sys/class",
	"/sys/devices",
	"$HOME/.config/opensc",
	NULL,
};

static const char *const devices[] = {
	"/dev/hidraw*",
	"/dev/bus/usb",
	NULL,
};

static const char *const connect_paths[] = {
	"/run/pcscd/pcscd.comm",
	NULL,
};

extern KS_NEEDS(middleware);

KS_NEEDS(middleware) = {
	.name = "middleware",
	.scheme = "middleware",
	.loads_path = true,
	.environment = environment,
	.foreign_code = true,
	.takes_keys = true,
	.syscalls = KS_SYSCALLS_COMMON,
	.library_apart = true,
	.read_paths = read_paths,
	.write_paths = nothing,
	.device_paths = devices,
	.connect_paths = connect_paths,
	.state_named_in = nothing,
	.network = false,
};
