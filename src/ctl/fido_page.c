/*
 * Security keys on a page.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "fido.h"
#include "field.h"
#include "page.h"

#define INDENT 2
#define HANG 16

static void print_field(struct page *page, const char *name, const char *value)
{
	if (*value != '\0')
		page_text(page, PAGE_PLAIN, INDENT, HANG, "%-12s  %s", name, value);
}

static void print_list(struct page *page, const char *name, const json_t *list)
{
	AUTO(buf) words = {0};

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (word != NULL && words.len > 0)
			buf_put(&words, bytes_of(", "));
		buf_put(&words, bytes_of(word));
	}
	buf_put_u8(&words, '\0');
	if (buf_status(&words) == KS_OK)
		print_field(page, name, (const char *)words.data);
}

/* Those that are on, and those that could be. */
static void print_options(struct page *page, const json_t *options)
{
	union {
		const json_t *borrowed;
		json_t *object;
	} same = {.borrowed = options};
	AUTO(buf) words = {0};
	const char *name;
	json_t *value;

	json_object_foreach(same.object, name, value)
	{
		if (words.len > 0)
			buf_put(&words, bytes_of(", "));
		buf_put(&words, bytes_of(name));
		if (!json_is_true(value))
			buf_put(&words, bytes_of(" (off)"));
	}
	buf_put_u8(&words, '\0');
	if (buf_status(&words) == KS_OK)
		print_field(page, "options", (const char *)words.data);
}

static void print_pin(struct page *page, const json_t *token)
{
	json_int_t tries = number_in(token, "pin_tries");
	bool counted = json_is_integer(json_object_get(token, "pin_tries"));
	bool change = json_is_true(json_object_get(token, "pin_change"));

	if (!json_is_true(json_object_get(token, "pin_set")))
		print_field(page, "PIN", "not set");
	else if (!counted)
		print_field(page, "PIN", "set");
	else
		page_text(page,
			tries > 2   ? PAGE_PLAIN
			: tries > 0 ? PAGE_WARNING
				    : PAGE_BAD,
			INDENT, HANG, "%-12s  %s; %lld %s left%s", "PIN",
			tries > 0 ? "set" : "blocked", (long long)tries,
			tries == 1 ? "try is" : "tries are",
			change ? "; it has to be changed first" : "");
}

/* A number of three bytes is a version of three parts with those who make most security keys. */
static char *firmware_text(const json_t *token)
{
	long long number = (long long)number_in(token, "firmware");

	if (number > 0xffff && number <= 0xffffff)
		return text_format(
			"%lld.%lld.%lld", number >> 16, number >> 8 & 0xff, number & 0xff);
	return text_format("%lld", number);
}

static void print_about(struct page *page, const json_t *token)
{
	AUTO(text) firmware = firmware_text(token);

	if (!json_is_true(json_object_get(token, "fido2"))) {
		print_field(page, "kind", "U2F: ecdsa-sk keys, no PIN, no resident keys");
		return;
	}
	print_field(page, "firmware", firmware != NULL ? firmware : "");
	print_field(page, "AAGUID", text_in(token, "aaguid"));
	print_list(page, "versions", json_object_get(token, "versions"));
	print_list(page, "keys", json_object_get(token, "algorithms"));
	print_pin(page, token);
	print_options(page, json_object_get(token, "options"));
	if (!json_is_true(json_object_get(token, "lists_keys")))
		print_field(page, "resident", "it can't list what is on it");
}

static void print_key(struct page *page, const json_t *key)
{
	const char *user = text_in(key, "user");

	page_text(page, PAGE_STRONG, INDENT, HANG, "%s  %s", text_in(key, "type"),
		text_in(key, "fingerprint"));
	page_text(page, PAGE_PLAIN, 2 * INDENT, HANG, "%s%s%s%s", text_in(key, "application"),
		*user != '\0' ? ", user " : "", user,
		json_is_true(json_object_get(key, "verify")) ? "; only with the PIN" : "");
}

static void print_token(struct page *page, const json_t *token)
{
	const json_t *keys = json_object_get(token, "keys");

	page_text(page, PAGE_STRONG, 0, INDENT, "%s  %s %s", text_in(token, "node"),
		text_in(token, "manufacturer"), text_in(token, "product"));
	print_field(page, "serial", text_in(token, "serial"));
	if (json_is_true(json_object_get(token, "busy")))
		page_text(page, PAGE_WARNING, INDENT, HANG, "another program uses it");
	else if (has_text(token, "trouble"))
		page_text(page, PAGE_BAD, INDENT, HANG, "%s", text_in(token, "trouble"));
	else
		print_about(page, token);
	if (json_is_array(keys) && json_array_size(keys) == 0)
		print_field(page, "resident", "no keys for SSH");
	for (size_t i = 0; i < json_array_size(keys); i++)
		print_key(page, json_array_get(keys, i));
}

void fido_print(const json_t *answer)
{
	struct page page = page_of(stdout);
	const json_t *tokens = json_object_get(answer, "tokens");

	if (json_array_size(tokens) == 0)
		page_text(&page, PAGE_PLAIN, 0, INDENT, "No security key is plugged in.");
	for (size_t i = 0; i < json_array_size(tokens); i++)
		print_token(&page, json_array_get(tokens, i));
}
