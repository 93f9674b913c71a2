/*
 * What a PKCS#11 module alone can do, as a measure for the agent: threads with a session each
 * that call C_SignInit and C_Sign over and over with a key of one token. Prints signatures a
 * second, and the milliseconds that loading the module took. With "confined" the process confines
 * itself before that, as a worker does.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include <keystile/backend.h>

#include "confine.h"

#define THREADS_MAX 64
#define SLOTS_MAX 32
#define ID_MAX 32

/* PKCS#1's DigestInfo of SHA-256 before the digest; ECDSA signs the digest alone. */
static CK_BYTE digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
	0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20, [50] = 0x01};
#define DIGEST_OFFSET 19
#define DIGEST_LEN 32

struct bench {
	CK_FUNCTION_LIST *module;
	CK_SLOT_ID slot;
	CK_OBJECT_HANDLE key;
	CK_KEY_TYPE type;
	double end_s;
};

struct runner {
	struct bench *bench;
	pthread_t thread;
	CK_SESSION_HANDLE session;
	unsigned long count;
};

static void require(CK_RV value, const char *call)
{
	if (value == CKR_OK)
		return;
	fprintf(stderr, "raw-pkcs11: %s: 0x%lx\n", call, value);
	exit(1);
}

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Labels in CK_TOKEN_INFO are filled up with blanks. */
static void find_slot(struct bench *bench, const char *label)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;

	require(bench->module->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
	for (CK_ULONG i = 0; i < count; i++) {
		CK_TOKEN_INFO info;
		char padded[sizeof(info.label) + 1];

		require(bench->module->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
		snprintf(padded, sizeof(padded), "%-*s", (int)sizeof(info.label), label);
		bench->slot = slots[i];
		if (memcmp(padded, info.label, sizeof(info.label)) == 0)
			return;
	}
	require(CKR_TOKEN_NOT_PRESENT, label);
}

static void find_key(struct bench *bench, CK_SESSION_HANDLE session, const char *hex)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_BYTE id[ID_MAX];
	CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_ID, id, 0}};
	CK_ATTRIBUTE type = {CKA_KEY_TYPE, &bench->type, sizeof(bench->type)};
	CK_ULONG found = 0;
	unsigned value;

	for (; wanted[1].ulValueLen < ID_MAX && sscanf(hex, "%2x", &value) == 1; hex += 2)
		id[wanted[1].ulValueLen++] = (CK_BYTE)value;
	require(bench->module->C_FindObjectsInit(session, wanted, 2), "C_FindObjectsInit");
	require(bench->module->C_FindObjects(session, &bench->key, 1, &found), "C_FindObjects");
	require(bench->module->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	require(found == 1 ? CKR_OK : CKR_KEY_HANDLE_INVALID, "the key");
	require(bench->module->C_GetAttributeValue(session, bench->key, &type, 1), "CKA_KEY_TYPE");
}

static void *run(void *argument)
{
	struct runner *runner = argument;
	struct bench *bench = runner->bench;
	bool rsa = bench->type == CKK_RSA;
	CK_MECHANISM mechanism = {.mechanism = rsa ? CKM_RSA_PKCS : CKM_ECDSA};
	CK_BYTE signature[1024];

	while (now_s() < bench->end_s) {
		CK_ULONG len = sizeof(signature);

		require(bench->module->C_SignInit(runner->session, &mechanism, bench->key),
			"C_SignInit");
		require(bench->module->C_Sign(runner->session,
				rsa ? digest_info : digest_info + DIGEST_OFFSET,
				rsa ? sizeof(digest_info) : DIGEST_LEN, signature, &len),
			"C_Sign");
		runner->count++;
	}
	return NULL;
}

static void measure(struct bench *bench, struct runner *runners, unsigned threads, double seconds)
{
	double start_s = now_s();
	unsigned long count = 0;

	bench->end_s = start_s + seconds;
	for (unsigned i = 0; i < threads; i++)
		require(pthread_create(&runners[i].thread, NULL, run, &runners[i]) == 0
				? CKR_OK
				: CKR_HOST_MEMORY,
			"thread");
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(runners[i].thread, NULL);
		count += runners[i].count;
	}
	printf("%.1f", (double)count / (now_s() - start_s));
}

extern KS_NEEDS(pkcs11);

/* Nobody is told of what is refused: the filter is the same but for that. */
static void confine(const char *module)
{
	struct frame_confined told = {0};
	int notifications = -1;

	if (confine_process(&ks_needs_pkcs11, module, BYTES(NULL, 0), &told, &notifications) !=
			KS_OK ||
		told.landlock == 0 || !told.filtered) {
		fputs("raw-pkcs11: can't be confined here\n", stderr);
		exit(1);
	}
}

static CK_FUNCTION_LIST *load(const char *path)
{
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
	CK_FUNCTION_LIST *module = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED);

	if (module == NULL) {
		fprintf(stderr, "raw-pkcs11: %s: %s\n", path, p11_kit_message());
		exit(1);
	}
	require(module->C_Initialize(&arguments), "C_Initialize");
	return module;
}

int main(int argc, char **argv)
{
	struct runner runners[THREADS_MAX] = {0};
	struct bench bench = {0};
	bool confined = argc == 8 && strcmp(argv[7], "confined") == 0;
	unsigned threads = argc == 7 || confined ? (unsigned)atoi(argv[5]) : 0;
	double start_s, loaded_s;

	if (threads < 1 || threads > THREADS_MAX) {
		fputs("usage: raw-pkcs11 MODULE TOKEN PIN KEY_ID SESSIONS MILLISECONDS "
		      "[confined]\n",
			stderr);
		return 2;
	}
	start_s = now_s();
	if (confined)
		confine(argv[1]);
	bench.module = load(argv[1]);
	loaded_s = now_s();
	find_slot(&bench, argv[2]);
	for (unsigned i = 0; i < threads; i++) {
		runners[i].bench = &bench;
		require(bench.module->C_OpenSession(
				bench.slot, CKF_SERIAL_SESSION, NULL, NULL, &runners[i].session),
			"C_OpenSession");
	}
	require(bench.module->C_Login(
			runners[0].session, CKU_USER, (CK_BYTE *)argv[3], strlen(argv[3])),
		"C_Login");
	find_key(&bench, runners[0].session, argv[4]);
	measure(&bench, runners, threads, atof(argv[6]) / 1000);
	printf(" %.3f\n", (loaded_s - start_s) * 1000);
	require(bench.module->C_Finalize(NULL), "C_Finalize");
	return 0;
}
