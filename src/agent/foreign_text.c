/*
 * See foreign_text.h.
 */
#include "foreign_text.h"

#include <stdlib.h>
#include <string.h>

json_t *foreign_text(const char *text)
{
	json_t *string = json_string(text != NULL ? text : "");
	char *ascii;

	if (string != NULL || text == NULL)
		return string;
	ascii = strdup(text);
	for (char *at = ascii; at != NULL && *at != '\0'; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	string = ascii == NULL ? NULL : json_string(ascii);
	free(ascii);
	return string;
}
