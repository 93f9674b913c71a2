/*
 * What a TPM answers: its return codes sorted by what can be done about them, and the words that a
 * person is told. Codes are those of TPM 2.0 part 2, section 6.6; layers above the TPM (ESYS, the
 * TCTI, a resource manager) have codes of their own.
 */
#ifndef KEYSTILE_TPM2_RETURN_CODE_H
#define KEYSTILE_TPM2_RETURN_CODE_H

#include <tss2/tss2_common.h>

#include <keystile/backend.h>

enum tpm_trouble {
	TPM_FINE,
	TPM_OBJECT_GONE,  /* a handle that was ours: flushed by others, or the TPM was restarted */
	TPM_SESSION_GONE, /* the same of a session */
	TPM_AUTH_COUNTED, /* a wrong authorisation value, which cost a try */
	TPM_AUTH_FREE,	  /* a wrong one of an object that is exempt from counting */
	TPM_LOCKED,	  /* too many wrong ones: nothing that counts is taken for a while */
	TPM_LATER,	  /* the same command may work a moment later */
	TPM_FULL,	  /* others hold all places for objects or sessions */
	TPM_NOT_STARTED,  /* it waits for TPM2_Startup */
	TPM_FOREIGN, /* an object that another parent, so most likely another TPM, has wrapped */
	TPM_LACKS,   /* it does not have that algorithm, size or command */
	TPM_LOST,    /* no answer, or one that makes no sense: the connection is of no use */
	TPM_OTHER,
};

enum tpm_trouble tpm_trouble(TSS2_RC code);

/*
 * Explains it to who waits for the operation, with the command's name, and returns the error
 * that fits. KS_OK for success.
 */
KS_MUST_CHECK enum ks_error tpm_failed(
	struct ks_operation *operation, const char *command, TSS2_RC code);

#endif
