/*
 * tss2's ESYS (3.2, iesys_cryptossl.c) makes an OpenSSL library context of its own for each hash
 * and each HMAC, and frees it again: algorithms are looked up and random generators seeded anew,
 * which takes most of a command's time. What it calls is this, a context that stays; it holds
 * algorithms, no secret. Version 4 of tss2 has Esys_SetCryptoCallbacks() for who wants another way.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#include <openssl/crypto.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *kept;

static void make(void)
{
	union {
		void *found;
		OSSL_LIB_CTX *(*call)(void);
	} real = {.found = dlsym(RTLD_NEXT, "OSSL_LIB_CTX_new")};

	if (real.found != NULL)
		kept = real.call();
}

OSSL_LIB_CTX *OSSL_LIB_CTX_new(void)
{
	pthread_once(&once, make);
	return kept;
}

void OSSL_LIB_CTX_free(OSSL_LIB_CTX *context)
{
	(void)context;
}
