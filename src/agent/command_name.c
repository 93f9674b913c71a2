/*
 * See command_name.h.
 */
#include "command_name.h"

#include <string.h>

#include <keystile/text.h>

#define CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

size_t command_name_len(const char *configured)
{
	size_t len = strspn(configured, CHARACTERS);

	return len <= COMMAND_NAME_MAX && configured[len] == '=' ? len : 0;
}

char *command_address(const char *configured)
{
	return text_format("/keystile/command/%.*s", (int)command_name_len(configured), configured);
}
