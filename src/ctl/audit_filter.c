/*
 * See audit_filter.h.
 */
#include "audit_filter.h"

#include <string.h>

#include <jansson.h>

#include <keystile/text.h>

#include "field.h"

bool audit_filter_possible(const struct audit_filter *filter)
{
	return filter->origin == NULL || strcmp(filter->origin, "local") == 0 ||
	       strcmp(filter->origin, "remote") == 0;
}

bool audit_filter_open(const struct audit_filter *filter)
{
	return filter->key == NULL && filter->host == NULL && filter->origin == NULL &&
	       !filter->refused;
}

static bool key_wanted(const struct audit_filter *filter, const json_t *line)
{
	const json_t *key = json_object_get(line, "key");

	return filter->key == NULL ||
	       (key != NULL && (strcmp(text_in(key, "fingerprint"), filter->key) == 0 ||
				       text_match(text_in(key, "comment"), filter->key)));
}

static bool hop_is(const json_t *hop, const char *host)
{
	const json_t *names = json_object_get(hop, "names");

	if (strcmp(text_in(hop, "host_key"), host) == 0)
		return true;
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name != NULL && text_match(name, host))
			return true;
	}
	return false;
}

static bool host_wanted(const struct audit_filter *filter, const json_t *line)
{
	const json_t *path = json_object_get(line, "path");

	if (filter->host == NULL)
		return true;
	for (size_t i = 0; i < json_array_size(path); i++)
		if (hop_is(json_array_get(path, i), filter->host))
			return true;
	return false;
}

static bool request_wanted(const struct audit_filter *filter, const json_t *line)
{
	const char *answer = text_in(line, "answer");

	if (filter->refused && strcmp(answer, "refused") != 0 && strcmp(answer, "none") != 0)
		return false;
	if (filter->origin != NULL &&
		strcmp(text_in(json_object_get(line, "origin"), "is"), filter->origin) != 0)
		return false;
	return key_wanted(filter, line) && host_wanted(filter, line);
}

bool audit_filter_wants(const struct audit_filter *filter, const char *text)
{
	json_t *line = audit_filter_open(filter) ? NULL : json_loads(text, 0, NULL);
	bool wanted = line == NULL || strcmp(text_in(line, "event"), "request") != 0 ||
		      request_wanted(filter, line);

	json_decref(line);
	return wanted;
}
