/*
 * A PKCS#11 module that hands every call on to a real one (KEYSTILE_SHIM_MODULE), writes down
 * which calls were made, and misbehaves as the files in a folder (KEYSTILE_SHIM) say, so
 * that a test can change its mind while the module is in use:
 *
 *   log              written: a line for each call, with its session or user type
 *   CALL.fail        "VALUE COUNT": the next COUNT calls return VALUE (hexadecimal)
 *   CALL.hang        the call does not return while the file is there
 *   CALL.crash       the call ends the process
 *   CALL.meet        "COUNT": the call waits until so many threads are in it at once
 *   CALL.pretend     the call does nothing and returns CKR_OK
 *   CALL.nonsense    the call returns lengths and counts that can't be
 *   flags            hexadecimal: set in the flags of CK_TOKEN_INFO
 *   pin-lengths      "MIN MAX": in CK_TOKEN_INFO
 *   serial           text: serial number in CK_TOKEN_INFO
 *   certificate      what every object has as CKA_VALUE
 *   removed          no token is there, and its sessions are void, also when it is back
 *   no-threads       C_Initialize refuses to lock; two calls at once end the process
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define POLL_US 5000
#define MEET_POLLS 2000 /* ten seconds */

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST shim;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned inside;	 /* calls in work */
static unsigned meeting; /* threads that wait for others */
static bool alone;	 /* no-threads was there at C_Initialize */
static bool token_there = true;

static int open_file(const char *name, const char *ending, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s%s", getenv("KEYSTILE_SHIM"), name, ending);
	return open(path, flags | O_CLOEXEC, 0600);
}

static bool file_is_there(const char *name, const char *ending)
{
	int fd = open_file(name, ending, O_RDONLY);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool read_file(const char *name, const char *ending, char *text, size_t size)
{
	int fd = open_file(name, ending, O_RDONLY);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, text, size - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	return len >= 0;
}

static void write_log(const char *call, unsigned long detail)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "%s %lu\n", call, detail);
	int fd = open_file("log", "", O_WRONLY | O_CREAT | O_APPEND);

	if (fd < 0 || write(fd, line, (size_t)len) != len)
		abort();
	close(fd);
}

/* Called with lock held, so that two calls don't take the same count. */
static bool told_to_fail(const char *call, CK_RV *value)
{
	unsigned long told;
	char text[64];
	int count, fd, len;

	if (!read_file(call, ".fail", text, sizeof(text)) ||
		sscanf(text, "%lx %d", &told, &count) != 2 || count <= 0)
		return false;
	fd = open_file(call, ".fail", O_WRONLY | O_TRUNC);
	len = snprintf(text, sizeof(text), "%lx %d", told, count - 1);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		abort();
	close(fd);
	*value = told;
	return true;
}

static bool meet_others(const char *call)
{
	char text[64];
	unsigned wanted;
	bool met = false;

	if (!read_file(call, ".meet", text, sizeof(text)))
		return true;
	wanted = (unsigned)strtoul(text, NULL, 10);
	pthread_mutex_lock(&lock);
	meeting++;
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < MEET_POLLS && !met; i++) {
		pthread_mutex_lock(&lock);
		met = meeting >= wanted;
		pthread_mutex_unlock(&lock);
		usleep(POLL_US);
	}
	return met; /* meeting stays: who is late has met them too */
}

/* Called with lock held. Sessions don't outlive the token in its slot. */
static void look_for_token(void)
{
	CK_SLOT_ID slots[16];
	CK_ULONG count = 16;
	bool there = !file_is_there("removed", "");

	if (!there && token_there && real->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK)
		for (CK_ULONG i = 0; i < count; i++)
			real->C_CloseAllSessions(slots[i]);
	token_there = there;
}

static bool removed(void)
{
	bool there;

	pthread_mutex_lock(&lock);
	there = token_there;
	pthread_mutex_unlock(&lock);
	return !there;
}

/* False where the call is not to be handed on: *value is its result then. */
static bool begin(const char *call, unsigned long detail, CK_RV *value)
{
	bool go_on = true;

	pthread_mutex_lock(&lock);
	write_log(call, detail);
	if (alone && inside)
		abort();
	inside++;
	look_for_token();
	if (told_to_fail(call, value))
		go_on = false;
	pthread_mutex_unlock(&lock);
	if (file_is_there(call, ".crash"))
		abort();
	while (file_is_there(call, ".hang"))
		usleep(POLL_US);
	if (go_on && !meet_others(call)) {
		*value = CKR_FUNCTION_FAILED;
		go_on = false;
	}
	if (go_on && file_is_there(call, ".pretend")) {
		*value = CKR_OK;
		go_on = false;
	}
	return go_on;
}

static CK_RV end(CK_RV value)
{
	pthread_mutex_lock(&lock);
	inside--;
	pthread_mutex_unlock(&lock);
	return value;
}

#define HAND_ON(call, detail, ...)                                                                 \
	do {                                                                                       \
		CK_RV value_;                                                                      \
		if (begin(#call, detail, &value_))                                                 \
			value_ = real->call(__VA_ARGS__);                                          \
		return end(value_);                                                                \
	} while (0)

static CK_RV shim_initialize(void *arguments)
{
	CK_RV value;

	if (begin("C_Initialize", arguments != NULL, &value)) {
		alone = file_is_there("no-threads", "");
		value = alone && arguments ? CKR_CANT_LOCK : real->C_Initialize(arguments);
	}
	return end(value);
}

static CK_RV shim_finalize(void *reserved)
{
	HAND_ON(C_Finalize, 0, reserved);
}

static CK_RV shim_get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_RV value;

	if (!begin("C_GetSlotList", slots != NULL, &value))
		return end(value);
	value = real->C_GetSlotList(present, slots, count);
	if (value == CKR_OK && removed())
		*count = 0;
	if (value == CKR_OK && file_is_there("C_GetSlotList", ".nonsense"))
		*count = 1UL << 40;
	return end(value);
}

static CK_RV shim_get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	HAND_ON(C_GetSlotInfo, slot, slot, info);
}

static void change_token_info(CK_TOKEN_INFO *info)
{
	char text[64];

	if (read_file("flags", "", text, sizeof(text)))
		info->flags |= strtoul(text, NULL, 16);
	if (read_file("pin-lengths", "", text, sizeof(text)) &&
		sscanf(text, "%lu %lu", &info->ulMinPinLen, &info->ulMaxPinLen) != 2)
		abort();
	if (read_file("serial", "", text, sizeof(text))) {
		memset(info->serialNumber, ' ', sizeof(info->serialNumber));
		memcpy(info->serialNumber, text, strnlen(text, sizeof(info->serialNumber)));
	}
}

static CK_RV shim_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV value;

	if (!begin("C_GetTokenInfo", slot, &value))
		return end(value);
	value = removed() ? CKR_TOKEN_NOT_PRESENT : real->C_GetTokenInfo(slot, info);
	if (value == CKR_OK)
		change_token_info(info);
	return end(value);
}

static CK_RV shim_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
	CK_SESSION_HANDLE *out)
{
	CK_RV value;

	if (begin("C_OpenSession", slot, &value))
		value = removed() ? CKR_TOKEN_NOT_PRESENT
				  : real->C_OpenSession(slot, flags, application, notify, out);
	return end(value);
}

static CK_RV shim_close_session(CK_SESSION_HANDLE session)
{
	HAND_ON(C_CloseSession, session, session);
}

static CK_RV shim_get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	HAND_ON(C_GetSessionInfo, session, session, info);
}

static CK_RV shim_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG len)
{
	HAND_ON(C_Login, user, session, user, pin, len);
}

static CK_RV shim_logout(CK_SESSION_HANDLE session)
{
	HAND_ON(C_Logout, session, session);
}

static CK_RV shim_find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, CK_ULONG count)
{
	HAND_ON(C_FindObjectsInit, session, session, wanted, count);
}

static CK_RV shim_find(
	CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count)
{
	CK_RV value;

	if (begin("C_FindObjects", session, &value))
		value = real->C_FindObjects(session, objects, max, count);
	if (value == CKR_OK && file_is_there("C_FindObjects", ".nonsense"))
		*count = max + 1;
	return end(value);
}

static CK_RV shim_find_final(CK_SESSION_HANDLE session)
{
	HAND_ON(C_FindObjectsFinal, session, session);
}

/* The value stands in for that of certificates, which have it and are asked for it alone. */
static CK_RV put_certificate(CK_ATTRIBUTE *attribute, CK_ULONG room)
{
	int fd = open_file("certificate", "", O_RDONLY);
	ssize_t len = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	CK_RV value = CKR_OK;

	if ((size_t)len > room)
		value = CKR_BUFFER_TOO_SMALL;
	else if (pread(fd, attribute->pValue, (size_t)len, 0) != len)
		value = CKR_DEVICE_ERROR;
	attribute->ulValueLen = value == CKR_OK ? (CK_ULONG)len : CK_UNAVAILABLE_INFORMATION;
	close(fd);
	return value;
}

static CK_RV shim_get_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	CK_ULONG room = attributes[0].ulValueLen;
	CK_RV value;

	if (begin("C_GetAttributeValue", session, &value))
		value = real->C_GetAttributeValue(session, object, attributes, count);
	if (value == CKR_OK && attributes[0].type == CKA_VALUE && file_is_there("certificate", ""))
		value = put_certificate(&attributes[0], room);
	if (value == CKR_OK && file_is_there("C_GetAttributeValue", ".nonsense"))
		attributes[0].ulValueLen = 1UL << 40;
	return end(value);
}

static CK_RV shim_sign_init(
	CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	HAND_ON(C_SignInit, session, session, mechanism, key);
}

static CK_RV shim_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
	CK_BYTE *signature, CK_ULONG *len)
{
	CK_RV value;

	if (begin("C_Sign", session, &value))
		value = removed() ? CKR_DEVICE_REMOVED
				  : real->C_Sign(session, data, data_len, signature, len);
	if (value == CKR_OK && file_is_there("C_Sign", ".nonsense"))
		*len = 1UL << 40;
	return end(value);
}

static void load_real(void)
{
	CK_RV (*get_list)(CK_FUNCTION_LIST **);
	void *handle = dlopen(getenv("KEYSTILE_SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
	void *symbol = handle ? dlsym(handle, "C_GetFunctionList") : NULL;

	if (!symbol)
		abort();
	memcpy(&get_list, &symbol, sizeof(symbol));
	if (get_list(&real) != CKR_OK)
		abort();
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	if (!real)
		load_real();
	shim = *real;
	shim.C_GetFunctionList = C_GetFunctionList;
	shim.C_Initialize = shim_initialize;
	shim.C_Finalize = shim_finalize;
	shim.C_GetSlotList = shim_get_slot_list;
	shim.C_GetSlotInfo = shim_get_slot_info;
	shim.C_GetTokenInfo = shim_get_token_info;
	shim.C_OpenSession = shim_open_session;
	shim.C_CloseSession = shim_close_session;
	shim.C_GetSessionInfo = shim_get_session_info;
	shim.C_Login = shim_login;
	shim.C_Logout = shim_logout;
	shim.C_FindObjectsInit = shim_find_init;
	shim.C_FindObjects = shim_find;
	shim.C_FindObjectsFinal = shim_find_final;
	shim.C_GetAttributeValue = shim_get_attribute;
	shim.C_SignInit = shim_sign_init;
	shim.C_Sign = shim_sign;
	*list = &shim;
	return CKR_OK;
}
