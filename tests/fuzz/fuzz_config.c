/*
 * The configuration from memory: never crashes, leaks, prints or half-applies, and every refusal
 * has words with a line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/backends.h>

#include "config.h"

/* In place of those of the build, so that the corpus means the same in each. */
static const struct ks_needs fake = {.name = "fake"};
static const struct ks_needs pkcs11 = {.name = "pkcs11"};
const struct ks_needs *const ks_backends[] = {&fake, &pkcs11, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config config = {0};
	char *error = NULL;
	enum ks_error outcome = config_parse(BYTES(data, len), "fuzz.conf", &config, &error);

	if (outcome == KS_BAD_INPUT &&
		(strncmp(error, "fuzz.conf:", 10) != 0 || error[10] < '1' || error[10] > '9'))
		abort();
	if (outcome == KS_BAD_INPUT && (config.relays != NULL || config.worker_count > 0))
		abort();
	if (outcome == KS_OK && (error != NULL || config.relays == NULL))
		abort();
	free(error);
	config_deinit(&config);
	return 0;
}
