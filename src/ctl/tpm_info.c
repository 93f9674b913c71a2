/*
 * keystile tpm info: the TPM for a person.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "field.h"
#include "page.h"
#include "tpm.h"

#define HANG 14

static void print_list(struct page *page, const char *name, const json_t *list)
{
	AUTO(buf) words = {0};

	for (size_t i = 0; i < json_array_size(list); i++) {
		if (i > 0)
			buf_put(&words, bytes_of(", "));
		buf_put(&words, bytes_of(json_string_value(json_array_get(list, i))));
	}
	buf_put_u8(&words, '\0');
	if (buf_status(&words) == KS_OK)
		page_text(page, PAGE_PLAIN, 0, HANG, "%-12s  %s", name, (const char *)words.data);
}

static void print_lockout(struct page *page, const json_t *lockout)
{
	json_int_t failures = json_integer_value(json_object_get(lockout, "failures"));
	json_int_t most = json_integer_value(json_object_get(lockout, "most"));
	json_int_t seconds = json_integer_value(json_object_get(lockout, "interval_seconds"));
	bool locked = json_is_true(json_object_get(lockout, "locked"));

	page_text(page, locked ? PAGE_BAD : PAGE_PLAIN, 0, HANG,
		"%-12s  %lld counted, of whatever key or program; %lld lock the TPM%s",
		"wrong PINs", (long long)failures, (long long)most,
		locked ? ": it is locked now" : "");
	if (seconds > 0)
		page_text(page, PAGE_PLAIN, 0, HANG, "%-12s  one is forgotten every %lld seconds",
			"", (long long)seconds);
}

static void print(const json_t *answer)
{
	struct page page = page_of(stdout);

	page_text(&page, PAGE_PLAIN, 0, HANG, "%-12s  %s %s", "maker",
		text_in(answer, "manufacturer"), text_in(answer, "vendor"));
	page_text(&page, PAGE_PLAIN, 0, HANG, "%-12s  %s", "firmware", text_in(answer, "firmware"));
	page_text(&page, PAGE_PLAIN, 0, HANG, "%-12s  %s", "revision", text_in(answer, "revision"));
	print_list(&page, "keys", json_object_get(answer, "kinds"));
	print_list(&page, "hashes", json_object_get(answer, "hashes"));
	print_lockout(&page, json_object_get(answer, "lockout"));
}

int tpm_info(const struct tpm_wish *wish)
{
	json_t *answer = NULL;

	if (tpm_ask(wish, json_object(), NULL, &answer) != KS_OK)
		return TPM_EXIT_FAILED;
	if (wish->as_json)
		tpm_print_json(answer);
	else
		print(answer);
	json_decref(answer);
	return tpm_finish();
}
