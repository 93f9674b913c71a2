/*
 * What the process of a PKCS#11 module needs of the system. Linked into the agent too, so
 * nothing but constants may stand here.
 */
#include <stddef.h>

#include <keystile/backend.h>

/* What people set for the modules they use; everything else goes through worker-env. */
static const char *const environment[] = {
	"HOME",
	"XDG_RUNTIME_DIR",
	"XDG_CONFIG_HOME",
	"LANG",
	"LC_ALL",
	"SOFTHSM2_CONF",	  /* SoftHSM */
	"OPENSC_CONF",		  /* OpenSC */
	"OPENSC_DEBUG",		  /* OpenSC */
	"PKCS11SPY",		  /* OpenSC's spy: the module behind it */
	"PKCS11SPY_OUTPUT",	  /* OpenSC's spy: its log */
	"PCSCLITE_CSOCK_NAME",	  /* pcscd's socket where it is elsewhere */
	"YKCS11_DBG",		  /* ykcs11 */
	"TPM2_PKCS11_STORE",	  /* tpm2-pkcs11 */
	"TPM2_PKCS11_TCTI",	  /* tpm2-pkcs11 */
	"TSS2_LOG",		  /* tpm2-pkcs11: what it writes to stderr */
	"P11_KIT_SERVER_ADDRESS", /* p11-kit-client.so */
	NULL,
};

static const char *const read_paths[] = {
	"/etc/pkcs11",
	"/etc/opensc",
	"/etc/softhsm",
	"/etc/opencryptoki",
	"/usr/share",
	"/run/udev", /* readers that the module finds by itself */
	"/sys/bus/usb",
	"/sys/devices",
	"$HOME/.config/pkcs11",
	"$HOME/.config/p11-kit",
	"$HOME/.config/opensc",
	"$HOME/.config/softhsm2",
	"$SOFTHSM2_CONF",
	"$OPENSC_CONF",
	"$PKCS11SPY",
	NULL,
};

static const char *const write_paths[] = {
	"$HOME/.cache/opensc",
	"$HOME/.tpm2_pkcs11",
	"/var/lib/softhsm",
	"$PKCS11SPY_OUTPUT",
	"$TPM2_PKCS11_STORE",
	NULL,
};

static const char *const state_named_in[] = {
	"$SOFTHSM2_CONF",
	"directories.tokendir",
	"$HOME/.config/softhsm2/softhsm2.conf",
	"directories.tokendir",
	"/etc/softhsm/softhsm2.conf",
	"directories.tokendir",
	NULL,
};

static const char *const devices[] = {
	"/dev/tpmrm0", /* tpm2-pkcs11 */
	NULL,
};

static const char *const connect_paths[] = {
	"/run/pcscd/pcscd.comm",
	"/var/run/pcscd/pcscd.comm",
	"$PCSCLITE_CSOCK_NAME",
	"$P11_KIT_SERVER_ADDRESS",
	"$XDG_RUNTIME_DIR/p11-kit/pkcs11", /* p11-kit-client.so where that names none */
	NULL,
};

KS_NEEDS(pkcs11) = {
	.name = "pkcs11",
	.scheme = NULL,
	.loads_path = true,
	.environment = environment,
	.foreign_code = true,
	.syscalls = KS_SYSCALLS_COMMON,
	.read_paths = read_paths,
	.write_paths = write_paths,
	.device_paths = devices,
	.connect_paths = connect_paths,
	.state_named_in = state_named_in,
	.network = false,
};
