/*
 * See uri.h.
 */
#include "uri.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <p11-kit/uri.h>

#include <keystile/cleanup.h>
#include <keystile/library_path.h>
#include <keystile/text.h>

#include "uri_rules.h"

#define SCHEME "pkcs11:"
#define MODULE_PATH "?module-path="

typedef P11KitUri *uri_auto;

static void uri_cleanup(uri_auto *uri)
{
	p11_kit_uri_free(*uri);
}

static bool is_uri(const char *name)
{
	return strncmp(name, SCHEME, strlen(SCHEME)) == 0;
}

const char *uri_module_path(const char *canonical)
{
	const char *mark = is_uri(canonical) ? strstr(canonical, MODULE_PATH) : NULL;

	return mark ? mark + strlen(MODULE_PATH) : canonical;
}

static enum ks_error refuse(struct ks_operation *operation, const char *words)
{
	ks_explain(operation, "%s", words);
	return KS_BAD_INPUT;
}

/* The agent has p11-kit's configuration looked through for those that say nothing of a module. */
static const char *objection(P11KitUri *uri)
{
	const char *words = uri_objection(uri);

	if (!words && !p11_kit_uri_get_module_path(uri) && !p11_kit_uri_get_module_name(uri))
		words = "the URI does not say which module: add ?module-path=/usr/lib/... to it, "
			"or ?module-name=";
	return words;
}

/* A file of that name where p11-kit keeps modules, or where libraries are. */
static enum ks_error locate_named(
	struct ks_operation *operation, const char *name, struct buf *path)
{
	static const char *const before[] = {KEYSTILE_P11_MODULES "/", KEYSTILE_P11_MODULES "/../",
		KEYSTILE_P11_MODULES "/../lib"};

	if (strchr(name, '/') || name[0] == '\0')
		return refuse(operation, "module-name is the name of a module, without a path");
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		AUTO(text)
		full = text_format("%s%s.so", before[i], name);

		if (full && access(full, F_OK) == 0)
			return library_path_locate(operation, full, path);
	}
	return refuse(operation, "no module of that name is installed; name its module-path");
}

static enum ks_error locate_module(struct ks_operation *operation, P11KitUri *uri, struct buf *path)
{
	const char *given = p11_kit_uri_get_module_path(uri);

	if (given)
		return library_path_locate(operation, given, path);
	return locate_named(operation, p11_kit_uri_get_module_name(uri), path);
}

/* The part about tokens alone, in p11-kit's own spelling. NULL: it can't be told. */
static char *token_part(P11KitUri *uri)
{
	char *text = NULL;

	p11_kit_uri_set_module_path(uri, NULL);
	p11_kit_uri_set_module_name(uri, NULL);
	if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_TOKEN, &text) != P11_KIT_URI_OK)
		return NULL;
	if (is_uri(text) && !strpbrk(text, "/?"))
		return text;
	free(text);
	return NULL;
}

static enum ks_error locate_uri(
	struct ks_operation *operation, const char *given, struct buf *canonical)
{
	AUTO(uri)
	uri = p11_kit_uri_new();
	AUTO(buf)
	path = {0};
	AUTO(text)
	tokens = NULL;
	enum ks_error error;
	const char *words;

	if (!uri)
		return KS_NO_MEMORY;
	if (p11_kit_uri_parse(given, P11_KIT_URI_FOR_TOKEN, uri) != P11_KIT_URI_OK)
		return refuse(operation, "it is no PKCS#11 URI (RFC 7512)");
	words = objection(uri);
	if (words)
		return refuse(operation, words);
	error = locate_module(operation, uri, &path);
	if (error != KS_OK)
		return error;
	tokens = token_part(uri);
	if (!tokens)
		return refuse(operation, "what the URI says of tokens can't be used");
	buf_put(canonical, bytes_of(tokens));
	buf_put(canonical, bytes_of(MODULE_PATH));
	buf_put(canonical, buf_bytes(&path));
	return buf_status(canonical);
}

enum ks_error uri_locate(
	struct ks_operation *operation, const char *provider, struct buf *canonical)
{
	if (is_uri(provider))
		return locate_uri(operation, provider, canonical);
	return library_path_locate(operation, provider, canonical);
}

enum ks_error uri_of(const char *canonical, struct p11_kit_uri **out)
{
	const char *path = uri_module_path(canonical);
	AUTO(text)
	tokens = NULL;
	AUTO(uri)
	uri = NULL;

	*out = NULL;
	if (path == canonical)
		return KS_OK;
	tokens = strndup(canonical, (size_t)(path - canonical) - strlen(MODULE_PATH));
	uri = p11_kit_uri_new();
	if (!tokens || !uri)
		return KS_NO_MEMORY;
	if (p11_kit_uri_parse(tokens, P11_KIT_URI_FOR_TOKEN, uri) != P11_KIT_URI_OK)
		return KS_BAD_INPUT;
	*out = uri;
	uri = NULL;
	return KS_OK;
}

void uri_free(struct p11_kit_uri *uri)
{
	p11_kit_uri_free(uri);
}

bool uri_means(const struct p11_kit_uri *uri, const CK_TOKEN_INFO *token)
{
	return !uri || p11_kit_uri_match_token_info(uri, token) == 1;
}
