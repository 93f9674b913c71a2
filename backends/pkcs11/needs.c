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
	"/etc",
	"/usr/share",
	"/usr/lib",
	"/var/lib/softhsm",
	"$HOME",
	NULL,
};

static const char *const write_paths[] = {
	"$HOME/.cache",
	"$HOME/.config/softhsm2",
	"/var/lib/softhsm",
	NULL,
};

static const char *const connect_paths[] = {
	"/run/pcscd/pcscd.comm",
	NULL,
};

KS_NEEDS(pkcs11) = {
	.name = "pkcs11",
	.scheme = NULL,
	.loads_path = true,
	.environment = environment,
	.foreign_code = true,
	.read_paths = read_paths,
	.write_paths = write_paths,
	.connect_paths = connect_paths,
	.network = false,
};
