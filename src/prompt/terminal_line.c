/*
 * The editing that the kernel does in line mode, without its echo and its queue.
 */
#include "terminal_line.h"

#include <unistd.h>

#define KEY_KILL 0x15	/* Ctrl-U */
#define KEY_ERASE 0x08	/* Ctrl-H */
#define KEY_DELETE 0x7f /* what most terminals send for it */
#define KEY_ESCAPE 0x1b

/* Key combinations that always mean no, whatever the terminal's own are: Ctrl-C, -D, -Z, -\. */
static const uint8_t refusing[] = {0x03, 0x04, 0x1a, 0x1c, KEY_ESCAPE};

static bool is_key(const struct terminal_line *line, size_t which, uint8_t byte)
{
	return line->keys->c_cc[which] != _POSIX_VDISABLE && line->keys->c_cc[which] == byte;
}

static bool refuses(const struct terminal_line *line, uint8_t byte)
{
	for (size_t i = 0; i < sizeof(refusing); i++)
		if (byte == refusing[i])
			return true;
	return is_key(line, VINTR, byte) || is_key(line, VQUIT, byte) ||
	       is_key(line, VSUSP, byte) || is_key(line, VEOF, byte);
}

/* A whole character of UTF-8: the bytes that go on with it lie behind its first. */
static void erase(struct secret *text)
{
	bool goes_on = true;

	while (text->len > 0 && goes_on) {
		uint8_t *last = &text->data[--text->len];

		goes_on = (*last & 0xc0) == 0x80;
		*last = 0;
	}
}

void terminal_line_clear(struct terminal_line *line)
{
	secret_wipe(line->text);
	line->spoilt = false;
}

enum line_state terminal_line_take(struct terminal_line *line, uint8_t byte)
{
	struct secret *text = line->text;

	if (byte == '\r' || byte == '\n')
		return LINE_ENDED;
	if (refuses(line, byte))
		return LINE_REFUSED;
	if (byte == KEY_KILL || is_key(line, VKILL, byte))
		terminal_line_clear(line);
	else if (byte == KEY_ERASE || byte == KEY_DELETE || is_key(line, VERASE, byte))
		erase(text);
	else if (byte < ' ' || (line->words_only && byte > '~') || text->len >= KS_PIN_MAX)
		line->spoilt = true;
	else
		text->data[text->len++] = byte;
	return LINE_OPEN;
}
