/*
 * Of a new key: the PIN that is chosen, and the files that are written.
 */
#include "tpm_made.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"
#include "key_place.h"
#include "pin.h"

#define COMMENT_MAX 1000

char *made_usual_comment(void)
{
	const struct passwd *self = getpwuid(getuid());
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	return text_format("%s@%s", self != NULL ? self->pw_name : "", host);
}

bool made_comment_fits(const char *comment)
{
	bool fits = strlen(comment) <= COMMENT_MAX;

	for (const char *at = comment; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			fits = false;
	if (!fits)
		complain("a comment is one line of at most %d bytes", COMMENT_MAX);
	return fits;
}

enum ks_error made_choose_pin(const struct tpm_wish *wish, const char *path, struct secret *row)
{
	char quoted[TEXT_QUOTED_MAX];
	AUTO(text) text = text_format("A PIN for the new key in %s.\n"
				      "It is asked for when the key signs for somebody afar.\n",
		text_quote(bytes_of(path), quoted));
	struct secret pin = {0};
	enum ks_error error;

	if (wish->no_pin)
		return KS_OK;
	error = text == NULL ? KS_NO_MEMORY : pin_choose(text, &pin);
	if (error == KS_OK)
		error = pin_append(row, &pin);
	secret_deinit(&pin);
	return error;
}

json_t *made_request(const struct tpm_wish *wish, const char *comment)
{
	json_t *request = json_pack("{s:s, s:b}", "description", wish->description ? comment : "",
		"pin", !wish->no_pin);

	if (request == NULL)
		complain("out of memory, or the comment is not UTF-8");
	else
		tpm_put_parent(wish, request);
	return request;
}

enum ks_error made_write(
	const struct tpm_wish *wish, const char *path, const json_t *answer, const char *comment)
{
	const char *text = json_string_value(json_object_get(answer, "file"));
	AUTO(text) line = tpm_public_line(answer, comment);
	AUTO(text) public = key_place_public(path);
	enum ks_error error;

	if (text == NULL || line == NULL || public == NULL) {
		complain("the worker's answer lacks the key");
		return KS_DEVICE_FAILED;
	}
	/* That of a key which was brought in is there already, as a rule. */
	bool kept = !wish->force && key_place_has(public, line);

	if (!kept && !wish->force && !key_place_is_unused(public))
		return KS_NOT_ALLOWED;
	error = key_place_write(path, bytes_of(text), 0600, wish->force);
	if (error != KS_OK)
		return error;
	/* The key is there: its public part is printed even where it can't be written. */
	if (!kept)
		error = key_place_write(public, bytes_of(line), 0644, wish->force);
	if (fputs(line, stdout) < 0 || tpm_finish() != TPM_EXIT_FINE)
		error = KS_DEVICE_FAILED;
	return error;
}
