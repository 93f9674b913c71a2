/*
 * From variables to values.
 */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <keystile/cleanup.h>

#include "remembered.h"
#include "tpm.h"

#define PIN_MINUTES_MOST (24 * 60)
#define IDLE_SECONDS_USUAL 60
#define IDLE_SECONDS_MOST 3600

/* A number of at most so much; fallback where the variable is not set. */
static enum ks_error number(struct ks_operation *operation, const char *name, uint32_t most,
	uint32_t fallback, uint32_t *out)
{
	const char *text = getenv(name);
	char *end = NULL;
	unsigned long value;

	*out = fallback;
	if (text == NULL)
		return KS_OK;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && value <= most) {
		*out = (uint32_t)value;
		return KS_OK;
	}
	ks_explain(operation, "%s must be a number from 0 to %u", name, (unsigned)most);
	return KS_BAD_INPUT;
}

/* The file's first line. */
static enum ks_error read_parent_auth(struct ks_operation *operation, TPM2B_AUTH *out)
{
	const char *path = getenv("KEYSTILE_TPM2_PARENT_AUTH");
	uint8_t text[sizeof(out->buffer) + 1];
	AUTO(fd) fd = -1;
	ssize_t got;

	if (path == NULL)
		return KS_OK;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	got = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	if (got > 0 && text[got - 1] == '\n')
		got--;
	if (got >= 0 && got <= (ssize_t)sizeof(out->buffer)) {
		out->size = (UINT16)got;
		memcpy(out->buffer, text, (size_t)got);
	}
	explicit_bzero(text, sizeof(text));
	if (got >= 0 && got <= (ssize_t)sizeof(out->buffer))
		return KS_OK;
	ks_explain(operation,
		"the file that KEYSTILE_TPM2_PARENT_AUTH names can't be read or is too long");
	return KS_BAD_INPUT;
}

enum ks_error tpm_settings_init(struct tpm_settings *settings, struct ks_operation *operation)
{
	const char *tcti = getenv("KEYSTILE_TPM2_TCTI");
	const char *keys = getenv("KEYSTILE_TPM2_KEYS");
	const char *without_pin = getenv("KEYSTILE_TPM2_WITHOUT_PIN");
	uint32_t minutes = 0;
	enum ks_error error;

	*settings = (struct tpm_settings){.tcti = tcti != NULL ? tcti : TPM_DEFAULT_TCTI,
		.keys = keys != NULL ? keys : "",
		.without_pin = without_pin != NULL ? without_pin : "",
		.home = getenv("HOME"),
		.state_folder = remembered_folder()};
	error = number(operation, "KEYSTILE_TPM2_PIN_MINUTES", PIN_MINUTES_MOST, 0, &minutes);
	settings->pin_seconds = minutes * 60;
	if (error == KS_OK)
		error = number(operation, "KEYSTILE_TPM2_IDLE_SECONDS", IDLE_SECONDS_MOST,
			IDLE_SECONDS_USUAL, &settings->idle_seconds);
	if (error == KS_OK)
		error = read_parent_auth(operation, &settings->parent_auth);
	return error;
}

void tpm_settings_deinit(struct tpm_settings *settings)
{
	free(settings->state_folder);
	explicit_bzero(settings, sizeof(*settings));
}
