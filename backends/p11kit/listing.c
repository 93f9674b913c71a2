/*
 * See listing.h. p11-kit asks dlopen() for each module and then the module for its table of
 * functions, by which it tells modules apart: each gets an empty table of ours.
 */
#include "listing.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define P11_KIT_FUTURE_UNSTABLE_API 1
#include <p11-kit/p11-kit.h>

#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

/* For enable-in and disable-in: what people see running, whatever process of it reads this. */
#define PROGRAM "keystile-agent"
/* p11-kit, too, never loads it as a module, as it would load them all once more. */
#define PROXY "p11-kit-proxy.so"

/* ---- In place of modules ---- */

/* PKCS#11 3.0 section 5.4.5, of which the headers of our floor know nothing. */
CK_RV C_GetInterface(void);

union opener {
	void *found;
	void *(*open)(const char *path, int flags);
};

/* The program itself: that is where C_GetFunctionList() is then looked for, and it is below. */
void *dlopen(const char *path, int flags)
{
	(void)path;
	return ((union opener){.found = dlsym(RTLD_NEXT, "dlopen")}).open(NULL, flags);
}

CK_RV C_GetInterface(void)
{
	return CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	static CK_FUNCTION_LIST tables[LISTING_MAX];
	static size_t used;

	if (used >= LISTING_MAX)
		return CKR_HOST_MEMORY;
	tables[used].version = (CK_VERSION){.major = 2, .minor = 40};
	*list = &tables[used++];
	return CKR_OK;
}

/* ---- What p11-kit says of them ---- */

/* Where "module:" is left blank, which takes a module away, p11-kit names its folder of modules. */
static bool is_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t folder = strlen(KEYSTILE_P11_MODULES);

	if (path[0] != '/' || slash[1] == '\0' || strcmp(slash + 1, PROXY) == 0)
		return false;
	return strncmp(path, KEYSTILE_P11_MODULES, folder) != 0 || path[folder] != '\0';
}

static bool says_yes(CK_FUNCTION_LIST *module, const char *option)
{
	AUTO(text) value = p11_kit_config_option(module, option);

	return value != NULL && strcmp(value, "yes") == 0;
}

/* False: no memory. */
static bool take(struct listing *out, CK_FUNCTION_LIST *module)
{
	AUTO(text) path = p11_kit_module_get_filename(module);
	AUTO(text) remote = p11_kit_config_option(module, "remote");
	struct listed_module *one = &out->modules[out->count];

	*one = (struct listed_module){.name = p11_kit_module_get_name(module),
		.remote = remote != NULL,
		.trusted = says_yes(module, "trust-policy")};
	out->count++;
	if (remote == NULL && path != NULL && is_file(path))
		one->path = TAKE_TEXT(path);
	return one->name != NULL;
}

enum ks_error listing_read(struct ks_operation *operation, struct listing *out)
{
	CK_FUNCTION_LIST **modules;
	enum ks_error error = KS_OK;
	const char *said;

	p11_kit_set_progname(PROGRAM);
	modules = p11_kit_modules_load(NULL, 0);
	if (modules == NULL) {
		char quoted[TEXT_QUOTED_MAX];

		said = p11_kit_message();
		ks_explain(operation, "p11-kit can't read its configuration: %s",
			said != NULL ? text_quote(bytes_of(said), quoted) : "it does not say why");
		return KS_DEVICE_FAILED;
	}
	for (size_t i = 0; modules[i] != NULL && out->count < LISTING_MAX && error == KS_OK; i++)
		if (!take(out, modules[i]))
			error = KS_NO_MEMORY;
	p11_kit_modules_release(modules);
	return error;
}

void listing_deinit(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		free(listing->modules[i].name);
		free(listing->modules[i].path);
	}
	*listing = (struct listing){0};
}
