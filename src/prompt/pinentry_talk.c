/*
 * A command goes out as one line; what comes back is read up to the line that ends the answer.
 */
#include "pinentry_talk.h"

#include <stdio.h>

#include <keystile/cleanup.h>

#include "pinentry_reply.h"
#include "pinentry_text.h"

#define REMARKS_MAX 100 /* lines that mean nothing, for each command */

static enum pinentry_end read_reply(struct talk *talk, enum wanted wanted)
{
	for (unsigned lines = 0; lines < REMARKS_MAX; lines++) {
		char *text;
		size_t len;

		if (assuan_read_line(talk->assuan, &text, &len) != 0)
			return PINENTRY_LOST;

		struct bytes line = BYTES((const uint8_t *)text, len);

		switch (pinentry_reply_of(line)) {
		case REPLY_OK:
			return PINENTRY_DONE;
		case REPLY_DATA:
			if (wanted != WANTED_DATA || !pinentry_data(line, &talk->pin))
				return PINENTRY_NONSENSE;
			break;
		case REPLY_NO:
			return PINENTRY_REFUSED;
		case REPLY_NOT_OK:
			return wanted == WANTED_CHOICE ? PINENTRY_REMEMBER : PINENTRY_REFUSED;
		case REPLY_ERROR:
			return PINENTRY_UNABLE;
		case REPLY_CACHED:
			return PINENTRY_CACHED;
		case REPLY_NONSENSE:
			return PINENTRY_NONSENSE;
		case REPLY_REMARK:
			break;
		}
	}
	return PINENTRY_NONSENSE;
}

enum pinentry_end talk_say(struct talk *talk, const char *line, enum wanted wanted)
{
	/* What it says before it was asked answers nothing. */
	if (assuan_pending_line(talk->assuan))
		return PINENTRY_NONSENSE;
	if (assuan_write_line(talk->assuan, line) != 0)
		return PINENTRY_LOST;
	return read_reply(talk, wanted);
}

enum pinentry_end talk_set(struct talk *talk, const char *command, struct bytes text)
{
	AUTO(buf) line = {.max = PINENTRY_LINE_MAX};
	enum pinentry_end end;

	buf_put(&line, bytes_of(command));
	pinentry_escape(&line, text);
	buf_put_u8(&line, '\0');
	if (buf_status(&line) != KS_OK)
		return PINENTRY_TOO_LONG;
	end = talk_say(talk, (const char *)line.data, WANTED_OK);
	return end == PINENTRY_REFUSED ? PINENTRY_UNABLE : end;
}

enum pinentry_end talk_set_option(struct talk *talk, const char *name, const char *value)
{
	char line[PINENTRY_LINE_MAX];
	int len = snprintf(line, sizeof(line), "OPTION %s=%s", name, value);

	if (len < 0 || (size_t)len >= sizeof(line))
		return PINENTRY_TOO_LONG;
	return talk_say(talk, line, WANTED_OK);
}
