/*
 * See field.h.
 */
#include "field.h"

const char *text_in(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

bool has_text(const json_t *object, const char *key)
{
	return text_in(object, key)[0] != '\0';
}

json_int_t number_in(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *plural(json_int_t number)
{
	return number == 1 ? "" : "s";
}
