/*
 * keystile tpm attest and verify: proof that a key is in a TPM, and what it proves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "control.h"
#include "key_place.h"
#include "page.h"
#include "tpm.h"

#define HANG 17
#define ATTESTATION_MAX ((size_t)64 * 1024 - 4096)
#define ROOTS_MAX ((size_t)256 * 1024)

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static const char *nonce_of(const struct tpm_wish *wish)
{
	return wish->nonce != NULL ? wish->nonce : "";
}

int tpm_attest(const struct tpm_wish *wish)
{
	json_t *request = tpm_request_for_file(wish);
	json_t *answer = NULL;

	if (request == NULL)
		return TPM_EXIT_FAILED;
	json_object_set_new(request, "nonce", json_string(nonce_of(wish)));
	if (tpm_ask(wish, request, NULL, &answer) != KS_OK)
		return TPM_EXIT_FAILED;
	tpm_print_json(answer);
	json_decref(answer);
	return fflush(stdout) == 0 ? TPM_EXIT_FINE : TPM_EXIT_FAILED;
}

/* ---- Verify ---- */

static void print_certificate(struct page *page, const json_t *certificate)
{
	bool trusted = json_is_true(json_object_get(certificate, "trusted"));

	page_text(page, trusted ? PAGE_PLAIN : PAGE_WARNING, 0, HANG, "%-15s  %s, issued by %s: %s",
		"certificate", text_of(certificate, "subject"), text_of(certificate, "issuer"),
		trusted ? "by an authority that was given" : "by nobody that was given");
}

static void print(const json_t *answer)
{
	struct page page = page_of(stdout);
	bool stays = json_is_true(json_object_get(answer, "stays_inside"));
	bool made = json_is_true(json_object_get(answer, "made_inside"));
	const json_t *certificates = json_object_get(answer, "certificates");

	page_text(&page, PAGE_STRONG, 0, HANG, "%-15s  %s %s", "key", text_of(answer, "kind"),
		text_of(answer, "fingerprint"));
	page_text(&page, made ? PAGE_PLAIN : PAGE_WARNING, 0, HANG, "%-15s  %s", "",
		made	? "was made in the TPM and can't leave it"
		: stays ? "can't leave the TPM, but was made outside"
			: "may be outside of the TPM as well");
	page_text(&page, PAGE_PLAIN, 0, HANG, "%-15s  %s", "attestation key",
		text_of(answer, "attestation_key"));
	page_text(&page, PAGE_PLAIN, 0, HANG, "%-15s  %s", "firmware", text_of(answer, "firmware"));
	for (size_t i = 0; i < json_array_size(certificates); i++)
		print_certificate(&page, json_array_get(certificates, i));
	page_text(&page, PAGE_PLAIN, 0, HANG, "%-15s  %s", "not proved",
		json_array_size(certificates) > 0
			? "that the attestation key is in the TPM of these certificates: compare "
			  "its "
			  "name with one that you wrote down when you had that computer before you"
			: "that the attestation key is in a TPM, as there is no certificate of a "
			  "maker: compare its name with one that you wrote down when you had that "
			  "computer before you");
}

static json_t *read_attestation(const struct tpm_wish *wish)
{
	AUTO(buf) text = {0};
	json_t *attestation = NULL;

	if (key_place_read(wish->file, ATTESTATION_MAX, &text) != KS_OK)
		return NULL;
	attestation = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(attestation))
		return attestation;
	complain("%s is no attestation", wish->file);
	json_decref(attestation);
	return NULL;
}

static bool put_roots(const struct tpm_wish *wish, json_t *request)
{
	AUTO(buf) text = {0};

	if (wish->roots == NULL)
		return true;
	if (key_place_read(wish->roots, ROOTS_MAX, &text) != KS_OK)
		return false;
	if (json_object_set_new(
		    request, "roots", json_stringn((const char *)text.data, text.len)) == 0)
		return true;
	complain("%s holds no certificates", wish->roots);
	return false;
}

int tpm_verify(const struct tpm_wish *wish)
{
	json_t *attestation = read_attestation(wish);
	json_t *answer = NULL;
	json_t *request;
	enum ks_error error = KS_BAD_INPUT;

	if (attestation == NULL)
		return TPM_EXIT_FAILED;
	request = json_pack("{s:o, s:s}", "attestation", attestation, "nonce", nonce_of(wish));
	if (request != NULL && put_roots(wish, request))
		error = tpm_ask(wish, json_incref(request), NULL, &answer);
	json_decref(request);
	if (error != KS_OK)
		return TPM_EXIT_FAILED;
	if (wish->as_json)
		tpm_print_json(answer);
	else
		print(answer);
	json_decref(answer);
	return fflush(stdout) == 0 ? TPM_EXIT_FINE : TPM_EXIT_FAILED;
}
