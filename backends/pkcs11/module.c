/*
 * Loads and initialises a PKCS#11 module. By the loader and not through p11-kit: one module per
 * process needs nobody to coordinate its callers, managed ones can't be told apart from those that
 * refuse threads, and p11-kit does not load its own proxy.
 */
#include "module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <keystile/library_path.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "return_value.h"

#define MESSAGE_TAIL 64 /* as much as text_quote() shows */

static enum ks_error no_module(struct ks_operation *operation, const char *words)
{
	log_error("the module can't be loaded: %s", words);
	ks_explain(operation, "%s", words);
	return KS_DEVICE_FAILED;
}

/* What the loader said; the end of it tells what is missing. */
static enum ks_error not_loaded(struct ks_operation *operation, const char *said)
{
	struct bytes message = bytes_of(said);
	char quoted[TEXT_QUOTED_MAX], words[TEXT_QUOTED_MAX + 64];

	if (message.len > MESSAGE_TAIL) {
		message.data += message.len - MESSAGE_TAIL;
		message.len = MESSAGE_TAIL;
	}
	snprintf(words, sizeof(words), "the file is no PKCS#11 module that can be loaded: %s",
		text_quote(message, quoted));
	return no_module(operation, words);
}

/* PKCS#11 2.40 section 5.4: the one symbol that a module has to have. */
static enum ks_error load_library(
	struct module *module, struct ks_operation *operation, const char *path)
{
	CK_C_GetFunctionList get_functions = NULL;
	void *symbol;

	module->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (module->library == NULL)
		return not_loaded(operation, dlerror());
	symbol = dlsym(module->library, "C_GetFunctionList");
	if (symbol == NULL)
		return not_loaded(operation, dlerror());
	memcpy(&get_functions, &symbol, sizeof(get_functions));
	if (get_functions(&module->functions) != CKR_OK || module->functions == NULL)
		return not_loaded(operation, "C_GetFunctionList failed");
	return KS_OK;
}

static bool same_file(const struct file_identity *a, const struct file_identity *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static enum ks_error load(struct module *module, struct ks_operation *operation, const char *path)
{
	struct file_identity before, after;
	enum ks_error error = library_path_check(operation, path, &before);

	if (error != KS_OK)
		return error;
	error = load_library(module, operation, path);
	if (error != KS_OK)
		return error;
	error = library_path_check(operation, path, &after);
	if (error == KS_OK && !same_file(&before, &after))
		error = no_module(operation, "the file was replaced while it was loaded");
	return error;
}

/* PKCS#11 2.40 section 5.4: CKR_CANT_LOCK says that it can't be used by threads on these terms. */
static CK_RV initialize(struct module *module)
{
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
	CK_RV value;

	module->threads = !module->locks_badly;
	value = CALL(module, C_Initialize, module->threads ? &arguments : NULL);
	if (value != CKR_CANT_LOCK)
		return value;
	log_info("the module can't lock for threads: its calls are made one by one");
	module->threads = false;
	return CALL(module, C_Initialize, NULL);
}

/*
 * OpenSC (0.23 at least) leaves a lock of its own closed when a card is pulled while it signs, and
 * then waits for it for good. It lets one call in at a time anyway.
 */
static bool locks_badly(struct module *module)
{
	static const char maker[] = "OpenSC Project";
	CK_INFO info = {0};

	return CALL(module, C_GetInfo, &info) == CKR_OK &&
	       memcmp(info.manufacturerID, maker, strlen(maker)) == 0;
}

static CK_RV initialize_without_locks(struct module *module)
{
	module->locks_badly = true;
	CALL(module, C_Finalize, NULL);
	return initialize(module);
}

enum ks_error module_initialize(struct module *module, struct ks_operation *operation)
{
	CK_RV value = initialize(module);

	if (value == CKR_OK && module->threads && locks_badly(module))
		value = initialize_without_locks(module);
	if (value != CKR_OK)
		return return_value_failed(operation, "C_Initialize", value);
	module->initialized = true;
	return KS_OK;
}

void module_finalize(struct module *module)
{
	if (module->initialized)
		CALL(module, C_Finalize, NULL);
	module->initialized = false;
}

enum ks_error module_open(struct module *module, struct ks_operation *operation, const char *path)
{
	enum ks_error error;

	pthread_mutex_init(&module->one_by_one, NULL);
	error = load(module, operation, path);
	return error == KS_OK ? module_initialize(module, operation) : error;
}

void module_close(struct module *module)
{
	/* It stays in memory, where threads that it left behind may still run: the process ends. */
	module_finalize(module);
	pthread_mutex_destroy(&module->one_by_one);
	*module = (struct module){0};
}
