/*
 * keystile tpm verify: what a proof proves, and what it does not.
 */
#include <stdio.h>

#include "control.h"
#include "field.h"
#include "page.h"
#include "tpm.h"

#define HANG 17

static bool flag_of(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static void print_key(struct page *page, const json_t *answer)
{
	bool stays = flag_of(answer, "stays_inside"), made = flag_of(answer, "made_inside");

	page_text(page, PAGE_STRONG, 0, HANG, "%-15s  %s %s", "key", text_in(answer, "kind"),
		text_in(answer, "fingerprint"));
	page_text(page, made ? PAGE_PLAIN : PAGE_WARNING, 0, HANG, "%-15s  %s", "",
		made	? "was made in the TPM and can't leave it"
		: stays ? "can't leave the TPM, but was made outside"
			: "may be outside of the TPM as well");
}

/* rooted: there was somebody to trust. */
static void print_certificate(struct page *page, const json_t *key, bool rooted)
{
	const json_t *certificate = json_object_get(key, "certificate");
	bool trusted = flag_of(key, "trusted");

	if (!json_is_object(certificate)) {
		page_text(page, PAGE_WARNING, 0, HANG, "%-15s  %s", "", "without a certificate");
		return;
	}
	page_text(page, trusted ? PAGE_PLAIN : PAGE_WARNING, 0, HANG,
		"%-15s  certificate %s, issued by %s: %s", "", text_in(certificate, "serial"),
		text_in(certificate, "issuer"),
		trusted	 ? "leads to an authority that was given"
		: rooted ? "leads to none that was given"
			 : "not checked, as no --roots were given");
}

static bool print_endorsement_keys(struct page *page, const json_t *keys, bool rooted)
{
	bool answered = false;

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);

		page_text(page, PAGE_PLAIN, 0, HANG, "%-15s  %s %s%s", "endorsement key",
			text_in(key, "kind"), text_in(key, "fingerprint"),
			flag_of(key, "answered") ? ", which answered the challenge" : "");
		print_certificate(page, key, rooted);
		answered = answered || flag_of(key, "answered");
	}
	return answered;
}

static void print(const json_t *answer, bool rooted)
{
	struct page page = page_of(stdout);
	bool answered;

	print_key(&page, answer);
	page_text(&page, PAGE_PLAIN, 0, HANG, "%-15s  %s", "attestation key",
		text_in(answer, "attestation_key"));
	page_text(&page, PAGE_PLAIN, 0, HANG, "%-15s  %s", "firmware", text_in(answer, "firmware"));
	answered =
		print_endorsement_keys(&page, json_object_get(answer, "endorsement_keys"), rooted);
	if (answered)
		page_text(&page, PAGE_PLAIN, 0, HANG, "%-15s  %s", "proved",
			"that the key is in the TPM with the endorsement key that answered");
	else
		page_text(&page, PAGE_WARNING, 0, HANG, "%-15s  %s", "not proved",
			"in which TPM that is, or whether it is one: `keystile tpm challenge` asks "
			"it");
}

static bool is_whole(const struct tpm_wish *wish)
{
	if ((wish->challenge == NULL) == (wish->answer == NULL))
		return true;
	complain("--challenge, the one that you made, and --answer to it go together");
	return false;
}

static json_t *gather(const struct tpm_wish *wish)
{
	json_t *request = json_pack("{s:s}", "nonce", wish->nonce != NULL ? wish->nonce : "");

	if (request != NULL && tpm_put_object(request, "proof", wish->file) &&
		tpm_put_roots(wish, request) &&
		(wish->challenge == NULL ||
			(tpm_put_object(request, "challenge", wish->challenge) &&
				tpm_put_object(request, "answer", wish->answer))))
		return request;
	json_decref(request);
	return NULL;
}

int tpm_verify(const struct tpm_wish *wish)
{
	json_t *answer = NULL;
	json_t *request;

	if (!is_whole(wish))
		return TPM_EXIT_USAGE;
	request = gather(wish);
	if (request == NULL || tpm_ask(wish, request, NULL, &answer) != KS_OK)
		return TPM_EXIT_FAILED;
	if (wish->as_json)
		tpm_print_json(answer);
	else
		print(answer, wish->roots != NULL);
	json_decref(answer);
	return tpm_finish();
}
