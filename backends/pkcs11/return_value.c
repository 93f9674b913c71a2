/*
 * The return values of PKCS#11 that a person or the recovery needs to tell apart (PKCS#11 2.40
 * section 5.1), as one table.
 */
#include "return_value.h"

#include <stdio.h>

#include <keystile/log.h>

struct meaning {
	CK_RV value;
	const char *name;
	enum ks_error error;
	enum return_remedy remedy;
	const char *words; /* NULL: the name is all there is to say */
};

#define VALUE(name) name, #name

static const struct meaning meanings[] = {
	{VALUE(CKR_HOST_MEMORY), KS_NO_MEMORY, REMEDY_NONE, "the module is out of memory"},
	{VALUE(CKR_DEVICE_MEMORY), KS_DEVICE_FAILED, REMEDY_NONE, "the token's memory is full"},
	{VALUE(CKR_SLOT_ID_INVALID), KS_NO_TOKEN, REMEDY_REOPEN, "its reader has gone"},
	{VALUE(CKR_GENERAL_ERROR), KS_DEVICE_FAILED, REMEDY_NONE, NULL},
	{VALUE(CKR_FUNCTION_FAILED), KS_DEVICE_FAILED, REMEDY_NONE, NULL},
	{VALUE(CKR_CANT_LOCK), KS_DEVICE_FAILED, REMEDY_NONE, NULL},
	{VALUE(CKR_FUNCTION_NOT_SUPPORTED), KS_UNSUPPORTED, REMEDY_NONE, NULL},
	{VALUE(CKR_DEVICE_ERROR), KS_DEVICE_FAILED, REMEDY_REOPEN,
		"the token or its reader reports a fault; take it out and put it back"},
	{VALUE(CKR_DEVICE_REMOVED), KS_NO_TOKEN, REMEDY_REOPEN, "the token was taken out"},
	{VALUE(CKR_TOKEN_NOT_PRESENT), KS_NO_TOKEN, REMEDY_REOPEN, "no token is in the reader"},
	{VALUE(CKR_TOKEN_NOT_RECOGNIZED), KS_DEVICE_FAILED, REMEDY_NONE,
		"the module does not know this kind of token"},
	{VALUE(CKR_SESSION_HANDLE_INVALID), KS_NO_TOKEN, REMEDY_REOPEN, "the session has gone"},
	{VALUE(CKR_SESSION_CLOSED), KS_NO_TOKEN, REMEDY_REOPEN, "the session was closed"},
	{VALUE(CKR_SESSION_COUNT), KS_BUSY, REMEDY_NONE, "the token has no session left"},
	{VALUE(CKR_OBJECT_HANDLE_INVALID), KS_NO_KEY, REMEDY_FIND_OBJECT, "the key has gone"},
	{VALUE(CKR_KEY_HANDLE_INVALID), KS_NO_KEY, REMEDY_FIND_OBJECT, "the key has gone"},
	{VALUE(CKR_KEY_TYPE_INCONSISTENT), KS_UNSUPPORTED, REMEDY_NONE,
		"the key can't make this kind of signature"},
	{VALUE(CKR_KEY_SIZE_RANGE), KS_UNSUPPORTED, REMEDY_NONE,
		"the token can't use a key of this size"},
	{VALUE(CKR_KEY_FUNCTION_NOT_PERMITTED), KS_UNSUPPORTED, REMEDY_NONE,
		"the key may not be used for signatures"},
	{VALUE(CKR_MECHANISM_INVALID), KS_UNSUPPORTED, REMEDY_NONE,
		"the token can't make this kind of signature"},
	{VALUE(CKR_MECHANISM_PARAM_INVALID), KS_UNSUPPORTED, REMEDY_NONE,
		"the token can't make this kind of signature"},
	{VALUE(CKR_DATA_LEN_RANGE), KS_UNSUPPORTED, REMEDY_NONE,
		"there is more to sign than the token takes"},
	{VALUE(CKR_OPERATION_ACTIVE), KS_BUSY, REMEDY_NEW_SESSION,
		"the token is busy with another operation"},
	{VALUE(CKR_OPERATION_NOT_INITIALIZED), KS_DEVICE_FAILED, REMEDY_NEW_SESSION, NULL},
	{VALUE(CKR_USER_NOT_LOGGED_IN), KS_PIN_NEEDED, REMEDY_LOG_IN,
		"the token wants its PIN again"},
	{VALUE(CKR_PIN_INCORRECT), KS_PIN_WRONG, REMEDY_NONE, "the token refused the PIN"},
	{VALUE(CKR_PIN_INVALID), KS_PIN_WRONG, REMEDY_NONE, "the token refused the PIN"},
	{VALUE(CKR_PIN_LEN_RANGE), KS_PIN_WRONG, REMEDY_NONE,
		"the PIN is too short or too long for this token"},
	{VALUE(CKR_PIN_EXPIRED), KS_PIN_BLOCKED, REMEDY_NONE,
		"the PIN has expired; change it with the token's own program"},
	{VALUE(CKR_PIN_LOCKED), KS_PIN_BLOCKED, REMEDY_NONE,
		"the PIN is blocked; unblock it with the token's own program"},
	{VALUE(CKR_USER_PIN_NOT_INITIALIZED), KS_UNSUPPORTED, REMEDY_NONE,
		"no PIN was set on this token yet"},
	{VALUE(CKR_USER_ALREADY_LOGGED_IN), KS_DEVICE_FAILED, REMEDY_NONE,
		"the module says that it is logged in already"},
	{VALUE(CKR_USER_ANOTHER_ALREADY_LOGGED_IN), KS_BUSY, REMEDY_NONE,
		"somebody else is logged in to the token"},
	{VALUE(CKR_USER_TOO_MANY_TYPES), KS_BUSY, REMEDY_NONE,
		"somebody else is logged in to the token"},
	{VALUE(CKR_FUNCTION_CANCELED), KS_REFUSED, REMEDY_NONE, "it was cancelled at the token"},
	{VALUE(CKR_FUNCTION_REJECTED), KS_REFUSED, REMEDY_NONE, "it was refused at the token"},
	{VALUE(CKR_CANCEL), KS_REFUSED, REMEDY_NONE, "it was cancelled at the token"},
	{VALUE(CKR_CRYPTOKI_NOT_INITIALIZED), KS_DEVICE_FAILED, REMEDY_NONE,
		"the module lost its state"},
	{VALUE(CKR_BUFFER_TOO_SMALL), KS_DEVICE_FAILED, REMEDY_NONE,
		"the module returned more than such an answer can hold"},
};

static const struct meaning *find(CK_RV value)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].value == value)
			return &meanings[i];
	return NULL;
}

enum ks_error return_value_error(CK_RV value)
{
	const struct meaning *meaning = find(value);

	if (value == CKR_OK)
		return KS_OK;
	return meaning ? meaning->error : KS_DEVICE_FAILED;
}

enum return_remedy return_value_remedy(CK_RV value)
{
	const struct meaning *meaning = find(value);

	return meaning ? meaning->remedy : REMEDY_NONE;
}

const char *return_value_name(CK_RV value, char out[static 32])
{
	const struct meaning *meaning = find(value);

	if (meaning)
		snprintf(out, 32, "%s", meaning->name);
	else
		snprintf(out, 32, "CKR_0x%08lx", value);
	return out;
}

enum ks_error return_value_failed(struct ks_operation *operation, const char *call, CK_RV value)
{
	const struct meaning *meaning = find(value);
	char name[32];

	return_value_name(value, name);
	log_warning("%s: %s", call, name);
	if (operation && meaning && meaning->words)
		ks_explain(operation, "%s (%s: %s)", meaning->words, call, name);
	else if (operation)
		ks_explain(operation, "the module failed (%s: %s)", call, name);
	return value == CKR_OK ? KS_DEVICE_FAILED : return_value_error(value);
}
