/*
 * keystile tpm list: the key files of a person, and what is in the TPM.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <keystile/cleanup.h>
#include <keystile/text.h>

#include "field.h"
#include "key_place.h"
#include "page.h"
#include "tpm.h"

#define FILES_MAX 200

/* ---- Files ---- */

static void take_file(json_t *files, const char *path)
{
	AUTO(buf) text = {0};

	/* One that may not be read was said to be so, and the others are shown. */
	if (key_place_read_private(path, TPM_FILE_MAX, &text) == KS_OK)
		json_array_append_new(files, json_pack("{s:s, s:s%}", "path", path, "text",
						     (const char *)text.data, text.len));
}

static json_t *files_of(const struct tpm_wish *wish)
{
	json_t *files = json_array();
	const char *home = getenv("HOME");
	AUTO(text) pattern = text_format("%s/.ssh/*.tpm", home != NULL ? home : "");
	glob_t found = {0};

	if (wish->file != NULL) {
		take_file(files, wish->file);
		return files;
	}
	if (home != NULL && pattern != NULL && glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && i < FILES_MAX; i++)
			take_file(files, found.gl_pathv[i]);
	globfree(&found);
	return files;
}

/* ---- The page ---- */

static const char *pin_words(const json_t *file)
{
	if (json_is_true(json_object_get(file, "importable")))
		return "wrapped on another machine";
	if (json_is_true(json_object_get(file, "pin")))
		return "with a PIN";
	return json_is_true(json_object_get(file, "counted")) ? "without a PIN, as its file says"
							      : "without a PIN";
}

static void print_key(struct page *page, const json_t *key)
{
	page_text(page, PAGE_PLAIN, 2, 4, "%s %lld  %s", text_in(key, "kind"),
		(long long)json_integer_value(json_object_get(key, "bits")),
		text_in(key, "fingerprint"));
}

static void print_file(struct page *page, const json_t *file)
{
	const char *wrong = text_in(file, "wrong");

	page_text(page, PAGE_STRONG, 0, 2, "%s", text_in(file, "path"));
	if (*wrong != '\0') {
		page_text(page, PAGE_BAD, 2, 4, "it %s", wrong);
		return;
	}
	print_key(page, file);
	page_text(page, PAGE_PLAIN, 2, 4, "%s, below the TPM's %s", pin_words(file),
		text_in(file, "parent"));
}

static void print_object(struct page *page, const json_t *object)
{
	const char *use = text_in(object, "use");

	page_text(page, PAGE_STRONG, 0, 2, "%s", text_in(object, "handle"));
	if (strcmp(use, "ssh") == 0)
		print_key(page, object);
	else if (strcmp(use, "storage") == 0)
		page_text(page, PAGE_PLAIN, 2, 4, "a storage key, for other keys to be below it");
	else
		page_text(page, PAGE_PLAIN, 2, 4, "no key that SSH could use");
}

static void print(const json_t *answer)
{
	struct page page = page_of(stdout);
	const char *trouble = text_in(answer, "trouble");
	const json_t *files = json_object_get(answer, "files");
	const json_t *objects = json_object_get(answer, "persistent");

	for (size_t i = 0; i < json_array_size(files); i++)
		print_file(&page, json_array_get(files, i));
	for (size_t i = 0; i < json_array_size(objects); i++)
		print_object(&page, json_array_get(objects, i));
	if (*trouble != '\0')
		page_text(&page, PAGE_WARNING, 0, 2, "What is in the TPM itself is not known: %s",
			trouble);
}

int tpm_list(const struct tpm_wish *wish)
{
	json_t *answer = NULL;

	if (tpm_ask(wish, json_pack("{s:o}", "files", files_of(wish)), NULL, &answer) != KS_OK)
		return TPM_EXIT_FAILED;
	if (wish->as_json)
		tpm_print_json(answer);
	else
		print(answer);
	json_decref(answer);
	return tpm_finish();
}
