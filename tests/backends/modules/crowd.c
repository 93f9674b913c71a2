/*
 * A token with as many keys as KEYSTILE_CROWD says, P-256 keys that are made up from their numbers,
 * in the order of these; it asks for no PIN. Words behind the number change what it shows:
 *
 *   no-ids      its objects have no CKA_ID
 *   one-id      they have all the same
 *   off-curve   each second public key is no point of the curve
 *   control     labels are full of control characters
 *   long        labels are as long as a module may make them
 *   huge        attributes say that they are longer than memory
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <p11-kit/pkcs11.h>

#define KEYS_MAX 10000
#define POINT 65 /* bytes: 4, x, y */
#define LONG 30000

static CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static CK_BYTE points[KEYS_MAX][2 + POINT]; /* in an octet string */
static unsigned count;
static unsigned found, at;
static CK_OBJECT_CLASS sought;
static unsigned sought_id; /* 0: any */
static unsigned signing;
static EC_GROUP *group;

static bool says(const char *word)
{
	const char *told = getenv("KEYSTILE_CROWD");

	return told != NULL && strstr(told, word) != NULL;
}

/* Objects: 1 to count are private, and count + 1 to 2 * count public. */
static bool is_private(CK_OBJECT_HANDLE object)
{
	return object <= count;
}

static unsigned number_of(CK_OBJECT_HANDLE object)
{
	return (unsigned)(is_private(object) ? object : object - count);
}

static EC_KEY *key_of(unsigned number)
{
	EC_KEY *key = EC_KEY_new();
	BIGNUM *private = BN_new();
	EC_POINT *point = EC_POINT_new(group);

	if (key == NULL || private == NULL || point == NULL ||
		!BN_set_word(private, number + 1UL) ||
		!EC_POINT_mul(group, point, private, NULL, NULL, NULL) ||
		!EC_KEY_set_group(key, group) || !EC_KEY_set_private_key(key, private) ||
		!EC_KEY_set_public_key(key, point))
		abort();
	BN_free(private);
	EC_POINT_free(point);
	return key;
}

static CK_RV initialize(void *arguments)
{
	const char *told = getenv("KEYSTILE_CROWD");

	(void)arguments;
	count = told == NULL ? 0 : (unsigned)strtoul(told, NULL, 10);
	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	if (count > KEYS_MAX || group == NULL)
		abort();
	for (unsigned i = 1; i <= count; i++) {
		EC_KEY *key = key_of(i);
		CK_BYTE *point = points[i - 1];

		point[0] = 4;
		point[1] = POINT;
		if (EC_POINT_point2oct(group, EC_KEY_get0_public_key(key),
			    POINT_CONVERSION_UNCOMPRESSED, point + 2, POINT, NULL) != POINT)
			abort();
		if (says("off-curve") && i % 2 == 0)
			point[40] ^= 1;
		EC_KEY_free(key);
	}
	return CKR_OK;
}

static CK_RV finalize(void *reserved)
{
	(void)reserved;
	EC_GROUP_free(group);
	return CKR_OK;
}

static CK_RV get_info(CK_INFO *info)
{
	*info = (CK_INFO){.cryptokiVersion = {2, 40}};
	memset(info->manufacturerID, ' ', sizeof(info->manufacturerID));
	return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *slot_count)
{
	(void)present;
	if (slots != NULL)
		slots[0] = 1;
	*slot_count = 1;
	return CKR_OK;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	(void)slot;
	*info = (CK_SLOT_INFO){.flags = CKF_TOKEN_PRESENT};
	memset(info->slotDescription, ' ', sizeof(info->slotDescription));
	return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	(void)slot;
	*info = (CK_TOKEN_INFO){.flags = CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED};
	memset(info->label, ' ', sizeof(info->label));
	memcpy(info->label, "Crowd", strlen("Crowd"));
	memset(info->serialNumber, '7', sizeof(info->serialNumber));
	return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
	CK_SESSION_HANDLE *out)
{
	(void)slot;
	(void)flags;
	(void)application;
	(void)notify;
	*out = 1;
	return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_OK;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, CK_ULONG wanted_count)
{
	(void)session;
	sought_id = 0;
	for (CK_ULONG i = 0; i < wanted_count; i++) {
		if (wanted[i].type == CKA_CLASS)
			memcpy(&sought, wanted[i].pValue, sizeof(sought));
		if (wanted[i].type == CKA_ID && !says("one-id"))
			memcpy(&sought_id, wanted[i].pValue, sizeof(sought_id));
	}
	at = sought_id != 0 ? sought_id - 1 : 0;
	found = sought_id != 0 ? sought_id : count;
	if (sought != CKO_PUBLIC_KEY && sought != CKO_PRIVATE_KEY)
		found = 0;
	return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *out)
{
	(void)session;
	for (*out = 0; *out < max && at < found; (*out)++)
		objects[*out] = ++at + (sought == CKO_PUBLIC_KEY ? count : 0);
	return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_OK;
}

static CK_RV put(CK_ATTRIBUTE *attribute, const void *value, CK_ULONG len)
{
	CK_ULONG room = attribute->ulValueLen;

	attribute->ulValueLen = len;
	if (attribute->pValue != NULL && len > room)
		return CKR_BUFFER_TOO_SMALL;
	if (attribute->pValue != NULL)
		memcpy(attribute->pValue, value, len);
	return CKR_OK;
}

static CK_RV put_label(CK_ATTRIBUTE *attribute, unsigned number)
{
	static char label[LONG];
	CK_ULONG len = (CK_ULONG)snprintf(label, sizeof(label), "crowd %u", number);

	if (says("control"))
		len = (CK_ULONG)snprintf(label, sizeof(label),
			"\033[2J\r\n%c\x9b"
			"31m%u",
			7, number);
	if (says("long")) {
		memset(label + len, 'x', sizeof(label) - len);
		len = sizeof(label);
	}
	return put(attribute, label, len);
}

static CK_RV put_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attribute)
{
	static const CK_KEY_TYPE type = CKK_EC;
	static const unsigned one = 1;
	static const CK_BBOOL no = CK_FALSE;
	unsigned number = number_of(object);

	if (attribute->type == CKA_KEY_TYPE)
		return put(attribute, &type, sizeof(type));
	if (attribute->type == CKA_EC_PARAMS)
		return put(attribute, curve, sizeof(curve));
	if (attribute->type == CKA_EC_POINT)
		return put(attribute, points[number - 1], sizeof(points[0]));
	if (attribute->type == CKA_LABEL)
		return put_label(attribute, number);
	if (attribute->type == CKA_ALWAYS_AUTHENTICATE)
		return put(attribute, &no, sizeof(no));
	if (attribute->type == CKA_ID)
		return put(attribute, says("one-id") ? &one : &number,
			says("no-ids") ? 0 : sizeof(number));
	attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
	return CKR_ATTRIBUTE_TYPE_INVALID;
}

static CK_RV get_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE *attributes, CK_ULONG attribute_count)
{
	CK_RV value = CKR_OK;

	(void)session;
	if (object == 0 || object > 2UL * count)
		return CKR_OBJECT_HANDLE_INVALID;
	for (CK_ULONG i = 0; i < attribute_count && value == CKR_OK; i++)
		value = put_attribute(object, &attributes[i]);
	if (says("huge"))
		attributes[0].ulValueLen = ~0UL - 1;
	return value;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	(void)session;
	(void)mechanism;
	if (key == 0 || !is_private(key))
		return CKR_KEY_HANDLE_INVALID;
	signing = number_of(key);
	return CKR_OK;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len, CK_BYTE *signature,
	CK_ULONG *signature_len)
{
	EC_KEY *key = key_of(signing);
	ECDSA_SIG *made = ECDSA_do_sign(data, (int)len, key);

	(void)session;
	if (made == NULL || *signature_len < 64 ||
		BN_bn2binpad(ECDSA_SIG_get0_r(made), signature, 32) != 32 ||
		BN_bn2binpad(ECDSA_SIG_get0_s(made), signature + 32, 32) != 32)
		abort();
	*signature_len = 64;
	ECDSA_SIG_free(made);
	EC_KEY_free(key);
	return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	static CK_FUNCTION_LIST functions = {.version = {2, 40},
		.C_Initialize = initialize,
		.C_Finalize = finalize,
		.C_GetInfo = get_info,
		.C_GetFunctionList = C_GetFunctionList,
		.C_GetSlotList = get_slot_list,
		.C_GetSlotInfo = get_slot_info,
		.C_GetTokenInfo = get_token_info,
		.C_OpenSession = open_session,
		.C_CloseSession = close_session,
		.C_FindObjectsInit = find_init,
		.C_FindObjects = find,
		.C_FindObjectsFinal = find_final,
		.C_GetAttributeValue = get_attribute,
		.C_SignInit = sign_init,
		.C_Sign = sign};

	*list = &functions;
	return CKR_OK;
}
