/*
 * What the process of a TPM needs of the system. Linked into the agent too, so nothing but
 * constants may stand here.
 */
#include <stddef.h>

#include <keystile/backend.h>

static const char *const environment[] = {
	"HOME",		  /* ~/.ssh/NAME.tpm */
	"XDG_STATE_HOME", /* names of parents, in keystile/tpm2 */
	"KEYSTILE_TPM2_TCTI",
	"KEYSTILE_TPM2_SOCKET",
	"KEYSTILE_TPM2_CONTROL",
	"KEYSTILE_TPM2_KEYS",
	"KEYSTILE_TPM2_WITHOUT_PIN",
	"KEYSTILE_TPM2_PIN_MINUTES",
	"KEYSTILE_TPM2_IDLE_SECONDS",
	"KEYSTILE_TPM2_PARENT_AUTH",
	"KEYSTILE_TPM2_STATE",
	"TSS2_LOG",
	NULL,
};

static const char *const read_paths[] = {
	"$HOME/.ssh/*.tpm",
	"$HOME/.ssh/*.pub", /* comments, and certificates */
	"$KEYSTILE_TPM2_PARENT_AUTH",
	NULL,
};

static const char *const list_paths[] = {
	"$HOME/.ssh",
	NULL,
};

static const char *const write_paths[] = {
	"$KEYSTILE_TPM2_STATE",
	"$XDG_STATE_HOME/keystile/tpm2",
	"$HOME/.local/state/keystile/tpm2",
	NULL,
};

static const char *const devices[] = {
	"/dev/tpmrm[0-9]*",
	"/dev/tpm[0-9]*",
	NULL,
};

/* Where the TPM is behind a socket. */
static const char *const connect_paths[] = {
	"$KEYSTILE_TPM2_SOCKET",
	"$KEYSTILE_TPM2_CONTROL",
	NULL,
};

static const char *const nothing[] = {NULL};

extern KS_NEEDS(tpm2);

KS_NEEDS(tpm2) = {
	.name = "tpm2",
	.scheme = "tpm2",
	.loads_path = false,
	.reads_path = true,
	.environment = environment,
	.foreign_code = true, /* the TPM's firmware, and a TCTI that somebody configured */
	.syscalls = KS_SYSCALLS_DEVICE,
	.read_paths = read_paths,
	.list_paths = list_paths,
	.write_paths = write_paths,
	.device_paths = devices,
	.connect_paths = connect_paths,
	.state_named_in = nothing,
	.network = false,
	.outlived_by_what_it_holds = true, /* where there is no resource manager */
};
