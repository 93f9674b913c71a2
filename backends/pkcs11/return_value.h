/*
 * What a module's return values mean: which of our errors each one is, whether a signature may
 * be tried again after it, and the words for a person.
 */
#ifndef KEYSTILE_PKCS11_RETURN_VALUE_H
#define KEYSTILE_PKCS11_RETURN_VALUE_H

#include <p11-kit/pkcs11.h>

#include <keystile/backend.h>

enum return_remedy {
	REMEDY_NONE,	    /* an error that stands */
	REMEDY_REOPEN,	    /* sessions are void: look for the token and open new ones */
	REMEDY_FIND_OBJECT, /* the object's handle is void */
	REMEDY_LOG_IN,	    /* the login has gone */
	REMEDY_NEW_SESSION, /* this session is stuck in an operation */
};

enum ks_error return_value_error(CK_RV value); /* KS_OK for CKR_OK alone */
enum return_remedy return_value_remedy(CK_RV value);
/* "CKR_DEVICE_REMOVED", or "CKR_0x80000001" for those that have no name here. */
const char *return_value_name(CK_RV value, char out[static 32]);
/*
 * Logs and explains that a call failed; returns return_value_error(), never KS_OK. operation
 * may be NULL.
 */
KS_MUST_CHECK enum ks_error return_value_failed(
	struct ks_operation *operation, const char *call, CK_RV value);

#endif
