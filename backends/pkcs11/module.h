/*
 * One PKCS#11 module. Every call into it goes through CALL(), which
 * keeps a module that can't lock for threads to one call at a time.
 */
#ifndef KEYSTILE_PKCS11_MODULE_H
#define KEYSTILE_PKCS11_MODULE_H

#include <pthread.h>
#include <stdbool.h>

#include <p11-kit/pkcs11.h>

#include <keystile/backend.h>

struct module {
	void *library;
	CK_FUNCTION_LIST *functions;
	bool initialized;
	bool threads;		    /* it locks for itself */
	bool locks_badly;	    /* it can, and must not */
	bool in_readers;	    /* its tokens are cards that it reaches through pcscd */
	pthread_mutex_t one_by_one; /* taken around each call when it does not */
};

/*
 * Loads the file that library_path_check() accepts, and no other, and initialises it. module is
 * zeroed before. After a failure module_close() is due as well.
 */
KS_MUST_CHECK enum ks_error module_open(
	struct module *module, struct ks_operation *operation, const char *path);
void module_close(struct module *module);
/* The same file goes on being loaded; sessions, handles and the numbers of slots are void. */
void module_finalize(struct module *module);
KS_MUST_CHECK enum ks_error module_initialize(
	struct module *module, struct ks_operation *operation);

static inline void module_enter(struct module *module)
{
	if (!module->threads)
		pthread_mutex_lock(&module->one_by_one);
}

static inline void module_leave(struct module *module)
{
	if (!module->threads)
		pthread_mutex_unlock(&module->one_by_one);
}

/* CALL(module, C_Sign, session, ...): a function that the module left out is "not supported". */
#define CALL(module, function, ...)                                                                \
	({                                                                                         \
		CK_RV value_ = CKR_FUNCTION_NOT_SUPPORTED;                                         \
		module_enter(module);                                                              \
		if ((module)->functions->function)                                                 \
			value_ = (module)->functions->function(__VA_ARGS__);                       \
		module_leave(module);                                                              \
		value_;                                                                            \
	})

#endif
