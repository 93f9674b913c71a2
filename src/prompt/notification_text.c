/*
 * Texts of desktop notifications.
 */
#include "notification_text.h"

#include <string.h>

#define LOCAL "unix:"

bool notification_address_local(const char *address)
{
	for (;;) {
		if (strncmp(address, LOCAL, strlen(LOCAL)) != 0)
			return false;
		address = strchr(address, ';');
		if (address == NULL)
			return true;
		address++;
	}
}

void notification_escape(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			buf_put(out, bytes_of("&amp;"));
		else if (*text == '<')
			buf_put(out, bytes_of("&lt;"));
		else if (*text == '>')
			buf_put(out, bytes_of("&gt;"));
		else if (*text == '\n' || (*text >= ' ' && *text <= '~'))
			buf_put_u8(out, (uint8_t)*text);
		else
			buf_put_u8(out, '?');
	}
}
