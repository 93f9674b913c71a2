/*
 * Finds PKCS#11 modules by p11-kit's configuration: "p11-kit:" means all of them, "p11-kit:NAME"
 * one, and a PKCS#11 URI that names no module those that may have the tokens it describes. It has
 * no tokens; the agent asks it once which providers are meant, and its process ends.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define P11_KIT_FUTURE_UNSTABLE_API 1
#include <p11-kit/uri.h>

#include <keystile/backend.h>
#include <keystile/cleanup.h>
#include <keystile/log.h>
#include <keystile/text.h>

#include "listing.h"
#include "uri_rules.h"

#define ALL "p11-kit:"
#define URI "pkcs11:"

struct finder {
	char *name; /* as it was given */
};

typedef P11KitUri *uri_auto;
typedef struct listing listing_auto;

static void uri_cleanup(uri_auto *uri)
{
	p11_kit_uri_free(*uri);
}

static void listing_cleanup(listing_auto *listing)
{
	listing_deinit(listing);
}

extern KS_NEEDS(p11kit);

static enum ks_error check_uri(struct ks_operation *operation, const char *given)
{
	AUTO(uri) uri = p11_kit_uri_new();
	const char *words = NULL;

	if (uri == NULL)
		return KS_NO_MEMORY;
	if (p11_kit_uri_parse(given, P11_KIT_URI_FOR_TOKEN, uri) != P11_KIT_URI_OK)
		words = "it is no PKCS#11 URI (RFC 7512)";
	else
		words = uri_objection(uri);
	if (words == NULL)
		return KS_OK;
	ks_explain(operation, "%s", words);
	return KS_BAD_INPUT;
}

static enum ks_error p11kit_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	enum ks_error error = KS_OK;

	if (strncmp(provider, URI, strlen(URI)) == 0)
		error = check_uri(operation, provider);
	buf_put(canonical, bytes_of(provider));
	return error == KS_OK ? buf_status(canonical) : error;
}

static enum ks_error p11kit_open(struct ks_worker *worker, struct ks_operation *operation,
	const char *canonical, void **state)
{
	struct finder *finder = calloc(1, sizeof(*finder));

	(void)worker;
	(void)operation;
	if (finder != NULL)
		finder->name = strdup(canonical);
	if (finder == NULL || finder->name == NULL) {
		free(finder);
		return KS_NO_MEMORY;
	}
	*state = finder;
	return KS_OK;
}

static void p11kit_close(void *state)
{
	struct finder *finder = state;

	if (finder == NULL)
		return;
	free(finder->name);
	free(finder);
}

static enum ks_error p11kit_list(void *state, struct ks_operation *operation)
{
	(void)state;
	(void)operation;
	return KS_OK;
}

static enum ks_error p11kit_login(
	void *state, struct ks_operation *operation, const struct secret *pin)
{
	(void)state;
	(void)operation;
	(void)pin;
	return KS_UNSUPPORTED;
}

static enum ks_error p11kit_sign(void *state, struct ks_operation *operation,
	const struct ks_sign *request, struct buf *signature)
{
	(void)state;
	(void)operation;
	(void)request;
	(void)signature;
	return KS_NO_KEY;
}

/* The URI with the module in it. NULL: no memory, or nothing that can be written as a URI. */
static char *with_module(const char *given, const char *path)
{
	AUTO(uri) uri = p11_kit_uri_new();
	char *text = NULL;

	if (uri == NULL || p11_kit_uri_parse(given, P11_KIT_URI_FOR_TOKEN, uri) != P11_KIT_URI_OK)
		return NULL;
	p11_kit_uri_set_module_path(uri, path);
	if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_TOKEN | P11_KIT_URI_FOR_MODULE, &text) !=
		P11_KIT_URI_OK)
		return NULL;
	return text;
}

/* The one that is named, or all. */
static bool is_meant(const struct finder *finder, const struct listed_module *module)
{
	const char *name = finder->name + strlen(ALL);

	if (strncmp(finder->name, ALL, strlen(ALL)) != 0 || name[0] == '\0')
		return !module->trusted;
	return strcmp(name, module->name) == 0;
}

static void put_module(
	const struct finder *finder, const struct listed_module *module, json_t *providers)
{
	bool uri = strncmp(finder->name, URI, strlen(URI)) == 0;
	AUTO(text) name = NULL;
	char quoted[TEXT_QUOTED_MAX];

	if (!is_meant(finder, module))
		return;
	text_quote(bytes_of(module->name), quoted);
	if (module->path == NULL && module->remote)
		log_warning("%s of p11-kit's configuration is left out: it is remote, see "
			    "grant-command in keystile.conf(5)",
			quoted);
	if (module->path == NULL)
		return;
	name = uri ? with_module(finder->name, module->path) : strdup(module->path);
	if (name == NULL || json_array_append_new(providers, json_string(name)) != 0)
		log_warning("%s of p11-kit's configuration is left out: its path can't be used",
			quoted);
}

static enum ks_error find(
	const struct finder *finder, struct ks_operation *operation, struct buf *answer)
{
	AUTO(listing) listing = {0};
	json_t *providers = json_array();
	json_t *object = json_pack("{s:o}", "providers", providers);
	enum ks_error error = listing_read(operation, &listing);

	for (size_t i = 0; error == KS_OK && i < listing.count; i++)
		put_module(finder, &listing.modules[i], providers);
	if (error == KS_OK && object == NULL)
		error = KS_NO_MEMORY;
	if (error == KS_OK && json_array_size(providers) == 0) {
		ks_explain(operation, "p11-kit's configuration lists no such module");
		error = KS_NO_TOKEN;
	}
	if (error == KS_OK) {
		AUTO(text) text = json_dumps(object, JSON_COMPACT);

		error = text != NULL ? KS_OK : KS_NO_MEMORY;
		buf_put(answer, bytes_of(text != NULL ? text : ""));
	}
	json_decref(object);
	return error == KS_OK ? buf_status(answer) : error;
}

/* {"verb": "find"}: which providers are meant. */
static enum ks_error p11kit_administer(void *state, struct ks_operation *operation,
	struct bytes request, const struct secret *secrets, struct buf *answer)
{
	json_t *object = json_loadb((const char *)request.data, request.len, 0, NULL);
	const char *verb = json_string_value(json_object_get(object, "verb"));
	bool known = verb != NULL && strcmp(verb, "find") == 0;

	(void)secrets;
	json_decref(object);
	return known ? find(state, operation, answer) : KS_UNSUPPORTED;
}

KS_BACKEND(p11kit) = {
	.version = KEYSTILE_BACKEND_VERSION,
	.needs = &ks_needs_p11kit,
	.parallel = 1,
	.locate = p11kit_locate,
	.open = p11kit_open,
	.list = p11kit_list,
	.login = p11kit_login,
	.sign = p11kit_sign,
	.administer = p11kit_administer,
	.close = p11kit_close,
};
